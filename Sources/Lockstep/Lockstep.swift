// One import for programs: everything public of the library's layers.

@_exported public import Base
@_exported public import Checkpointing
@_exported public import Collectives
@_exported public import DataLoading
@_exported public import DataParallel
@_exported public import MPICollectives
@_exported public import NeuralNetworks
@_exported public import Optimizers
@_exported public import TensorCore
