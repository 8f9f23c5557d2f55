// One import for programs: everything public of the library's layers.

@_exported public import Collectives
@_exported public import DataLoading
@_exported public import DataParallel
@_exported public import LockstepTensors
@_exported public import MPICollectives
