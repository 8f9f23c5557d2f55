import Foundation
import Synchronization
import TensorCore
import Testing

@Suite("Execution context")
struct ExecutionContextTests {
  @Test("scopes replace what they are for and restore it, also when they throw")
  func scopes() {
    struct Failure: Error {}
    #expect(isGradientEnabled && isTraining)
    withoutGrad {
      #expect(!isGradientEnabled && isTraining)
      withEvaluation {
        #expect(!isGradientEnabled && !isTraining)
        withTraining { #expect(!isGradientEnabled && isTraining) }
        #expect(!isTraining)
      }
      withoutGrad {}
      #expect(!isGradientEnabled && isTraining)
    }
    #expect(throws: Failure.self) { try withoutGrad { try withEvaluation { throw Failure() } } }
    #expect(isGradientEnabled && isTraining)
  }

  @Test("a thread starts with a context of its own")
  func threads() {
    let found = Mutex<[Bool]>([])
    withoutGrad {
      withEvaluation {
        let thread = Thread {
          let own = [isGradientEnabled, isTraining]
          withoutGrad {}
          found.withLock { $0 = own }
        }
        thread.start()
        while !thread.isFinished { usleep(1000) }
        #expect(!isGradientEnabled && !isTraining)
      }
    }
    #expect(found.withLock { $0 } == [true, true])
  }
}
