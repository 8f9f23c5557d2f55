import CKernels
import Foundation
import Testing

@Suite("Choice of instruction set")
struct DispatchTests {
  @Test("the environment may lower the choice, never raise it")
  func choice() {
    let names = ["plain", "avx2", "avx512"]
    let chosen = names.firstIndex(of: String(cString: ck_isa()))
    #expect(chosen != nil)
    if let wish = ProcessInfo.processInfo.environment["LOCKSTEP_ISA"],
      let limit = names.firstIndex(of: wish), let chosen
    {
      #expect(chosen <= limit)
    }
  }
}
