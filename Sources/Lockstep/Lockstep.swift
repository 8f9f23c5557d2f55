// One import for programs: everything public of all layers.

@_exported public import Collectives
@_exported public import DataLoading
@_exported public import MPICollectives
@_exported public import NeuralNetworks
@_exported public import Optimizers
@_exported public import TensorCore
@_exported public import Training
