// One import for programs that compute with tensors and train in one process: no MPI, no configuration
// files, no command line.

@_exported public import Base
@_exported public import Checkpointing
@_exported public import NeuralNetworks
@_exported public import Optimizers
@_exported public import TensorCore
