import Collectives
import Testing

@Suite("Topology")
struct TopologyTests {
  @Test("Ranks of a node that follow each other stand where their numbers say")
  func consecutive() {
    let topologies = (0..<5).map { Topology(rank: $0, nodeOfRank: [7, 7, 3, 3, 3]) }
    for topology in topologies { #expect(topology.nodes == [[0, 1], [2, 3, 4]]) }
    #expect(topologies.map(\.nodeIndex) == [0, 0, 1, 1, 1])
    #expect(topologies.map(\.localRank) == [0, 1, 0, 1, 2])
    #expect(topologies.map(\.localSize) == [2, 2, 3, 3, 3])
    #expect(topologies.map(\.position) == [0, 1, 2, 3, 4])
    #expect(topologies[0].nodeCount == 2)
    #expect(topologies[0].smallestLocalSize == 2)
    #expect(!topologies[0].isEven)
  }

  @Test("Ranks that were dealt out to the nodes in turn get positions by node")
  func dealtOut() {
    let topologies = (0..<6).map { Topology(rank: $0, nodeOfRank: [0, 1, 2, 0, 1, 2]) }
    #expect(topologies[0].nodes == [[0, 3], [1, 4], [2, 5]])
    #expect(topologies.map(\.localRank) == [0, 0, 0, 1, 1, 1])
    #expect(topologies.map(\.position) == [0, 2, 4, 1, 3, 5])
    #expect(topologies.map(\.isEven) == Array(repeating: true, count: 6))
  }
}
