import Base
import Synchronization
import Testing

@Suite struct ActivityTests {
  @Test func whatIsDoneIsInTheSharedMemoryAtOnce() {
    // The memory stays: other tests of this process write to it, too.
    let cells = Activity.Cells.allocate(capacity: Activity.cellCount)
    for index in 0..<Activity.cellCount { (cells + index).initialize(to: Atomic(0)) }
    Activity.move(to: cells)
    let before = Activity.snapshot(of: cells)
    #expect(before.events <= Activity.snapshot.events)
    Activity.waiting(for: .allReduce) {
      #expect(Activity.snapshot(of: cells).events > before.events)
      #expect(Activity.snapshot(of: cells).calls > before.calls)
    }
    #expect(Activity.snapshot(of: cells).events > before.events + 1)
  }

  @Test func aCopyIsOfOneMoment() {
    let cells = Activity.Cells.allocate(capacity: Activity.cellCount)
    defer { cells.deallocate() }
    for index in 0..<Activity.cellCount { (cells + index).initialize(to: Atomic(0)) }
    Activity.advance()
    Activity.copy(to: cells)
    let copied = Activity.snapshot(of: cells).events
    #expect(copied > 0)
    Activity.advance()
    #expect(Activity.snapshot(of: cells).events == copied)
  }
}
