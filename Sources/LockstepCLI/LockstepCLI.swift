// What a program with its own model or data needs with one `import LockstepCLI`.
@_exported public import Configuration
@_exported public import Lockstep
@_exported public import Settings
@_exported public import Training
