// Compiled by `launch/test sanitizers` only.
#if SANITIZER_address || SANITIZER_thread
  import CKernels
  import Foundation
  import Synchronization
  import Testing

  /// Makes mistakes that a sanitizer must report, in kernels and in Swift: it looks at both.
  @Suite("Sanitizers")
  struct SanitizerTests {
    private func errors(_ result: ExitTest.Result?) -> String {
      String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    }

    #if SANITIZER_address
      @Test("AddressSanitizer reports a kernel that reads beyond the end")
      func kernelBeyondEnd() async {
        let result = await #expect(
          processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
          let x = UnsafeMutablePointer<Float>.allocate(capacity: 100)
          let y = UnsafeMutablePointer<Float>.allocate(capacity: 200)
          ck_relu(ck_f32, y, x, 101)
        }
        #expect(errors(result).contains("AddressSanitizer: heap-buffer-overflow"))
      }

      @Test("AddressSanitizer reports Swift code that reads beyond the end")
      func swiftBeyondEnd() async {
        let result = await #expect(
          processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
          let x = UnsafeMutablePointer<Int>.allocate(capacity: 100)
          print(x[99 + CommandLine.arguments.count])
        }
        #expect(errors(result).contains("AddressSanitizer: heap-buffer-overflow"))
      }
    #else
      /// Runs `body` on two threads with the same memory.
      private static func runTwice(
        _ body: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer?
      ) {
        let memory = UnsafeMutablePointer<Int>.allocate(capacity: 100)
        var threads = [pthread_t(), pthread_t()]
        for i in 0...1 { pthread_create(&threads[i], nil, body, memory) }
        for thread in threads { pthread_join(thread, nil) }
        memory.deallocate()
      }

      @Test("ThreadSanitizer reports kernels that write the same memory")
      func kernelRace() async {
        let result = await #expect(
          processExitsWith: .exitCode(66), observing: [\.standardErrorContent]
        ) {
          Self.runTwice { memory in
            ck_fill(ck_f32, memory!, 100, 1)
            return nil
          }
        }
        #expect(errors(result).contains("ThreadSanitizer: "))
      }

      @Test("ThreadSanitizer reports Swift code that writes the same memory")
      func swiftRace() async {
        let result = await #expect(
          processExitsWith: .exitCode(66), observing: [\.standardErrorContent]
        ) {
          Self.runTwice { memory in
            memory!.assumingMemoryBound(to: Int.self).pointee += 1
            return nil
          }
        }
        #expect(errors(result).contains("ThreadSanitizer: "))
      }

      private final class Protected: Sendable {
        let values = Mutex([Int]())
      }

      @Test("ThreadSanitizer sees that a Mutex protects, also where threads wait for it")
      func mutex() async {
        await #expect(processExitsWith: .exitCode(0)) {
          let protected = Protected()
          DispatchQueue.concurrentPerform(iterations: 4) { _ in
            for i in 0..<100_000 { protected.values.withLock { $0 = [i] + $0.prefix(10) } }
          }
        }
      }
    #endif
  }
#endif
