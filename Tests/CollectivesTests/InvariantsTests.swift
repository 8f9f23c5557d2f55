import Collectives
import Testing

@Suite("Invariants")
struct InvariantsTests {
  @Test("Equal values agree, empty ones too")
  func equalValues() {
    let values = ["seed": "1", "data": ""]
    #expect(
      RankDisagreement(among: [values, values], hosts: ["a", "b"]) == nil)
    #expect(RankDisagreement(among: [[:], [:]], hosts: ["a", "b"]) == nil)
  }

  @Test("The message names the value, the ranks and their hosts")
  func message() {
    var values = [[String: String]](
      repeating: ["model": "m", "seed": "1", "data": "d"], count: 6)
    values[3]["seed"] = "2"
    values[5]["data"] = nil
    let disagreement = RankDisagreement(
      among: values, hosts: ["n1", "n1", "n1", "n2", "n2", "n2"])
    #expect(
      disagreement?.description == """
        the ranks do not agree on 2 of 3 values:
          data: 'd' on ranks 0-4 (n1, n2), no value on rank 5 (n2)
          seed: '1' on ranks 0-2, 4-5 (n1, n2), '2' on rank 3 (n2)
        start all ranks with the same program, command and files
        """)
  }

  @Test("Many nodes are counted")
  func manyNodes() {
    let values = (0..<6).map { ["seed": $0 == 0 ? "1" : "2"] }
    let disagreement = RankDisagreement(among: values, hosts: (0..<6).map { "n\($0)" })
    #expect(disagreement?.description.contains("'2' on ranks 1-5 (5 nodes)") == true)
  }

  @Test("All ranks get the same message")
  func overRanks() throws {
    let messages = try withRanks(3) { communicator in
      do {
        try communicator.checkInvariants(["seed": "\(communicator.rank / 2)", "text": "a\nb"])
        return "agreed"
      } catch {
        return "\(error)"
      }
    }
    #expect(Set(messages).count == 1)
    #expect(
      messages[0].hasPrefix("the ranks do not agree on 1 of 2 values:\n  seed: '0' on ranks 0-1 ("))
  }
}
