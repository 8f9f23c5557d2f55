// The command `lockstep`; all of it is in LockstepCLI, which other programs use too.
import LockstepCLI

Trainer.main()
