import CKernels
import Foundation
import Testing

@Suite("Choice of instruction set")
struct DispatchTests {
  @Test("the environment may lower the choice, never raise it")
  func choice() {
    let names = ["plain", "avx2", "avx512", "avx512-bf16"]
    let chosen = names.firstIndex(of: String(cString: ck_isa()))
    #expect(chosen != nil)
    if let wish = ProcessInfo.processInfo.environment["LOCKSTEP_ISA"],
      let limit = names.firstIndex(of: wish), let chosen
    {
      #expect(chosen <= limit)
    }
  }

  @Test("a kernel stops the program when it does not support a type, and says which")
  func unsupported() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var y: [Int32] = [0]
      ck_exp(ck_i32, &y, [1] as [Int32], 1)
    }
    let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(message.contains("exp") && message.contains("int32"))
  }
}
