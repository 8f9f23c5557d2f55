import Examples
import Foundation
import TestSupport
import Testing

@Suite struct IslandTests {
  private static let distributions: [@Sendable () -> Island.Points] = [
    { Island.island() }, { Island.exclusiveOr() },
  ]

  @Test("by hand, by differences and by backward the gradient is PyTorch's", arguments: 0..<2)
  func gradients(_ index: Int) throws {
    let points = Self.distributions[index]()
    let expected = try goldens.get()["\(points.name)/gradient"].values
    let ways = Island.compareGradients(points, repetitions: 1)
    #expect(ways.map(\.name) == ["by hand", "differences", "backward"])
    for way in ways {
      let tolerance = way.name == "differences" ? 1e-9 : 1e-14
      #expect(areClose(way.gradient, expected, within: tolerance), "\(way.name)")
      #expect(way.microseconds > 0)
    }
  }

  @Test("2,000 steps have PyTorch's losses and tell the classes apart", arguments: 0..<2)
  func descent(_ index: Int) throws {
    let points = Self.distributions[index]()
    let (weights, losses) = Island.train(points)
    let rows = stride(from: 0, through: 2000, by: 200).map { losses[$0] }
    #expect(areClose(rows, try goldens.get()["\(points.name)/losses"].values, within: 1e-6))
    #expect(Island.accuracy(points, weights) > 0.95)

    // On the map the middle differs from the corners, respectively neighbouring corners do.
    let map = Island.map(weights, cells: 9)
    let corners = [map[0][0], map[0][8], map[8][8], map[8][0]].map { $0 > 0.5 }
    if points.name == "island" {
      #expect(map[4][4] > 0.5)
      #expect(corners == [false, false, false, false])
    } else {
      #expect(corners == [true, false, true, false])
    }
  }

  @Test("the pictures are XML with a curve, cells and points")
  func pictures() throws {
    let curve = Picture.curve([3, 2, 1], title: "loss")
    #expect(curve.contains("polyline points=\"50.0,30.0 260.0,103.3 470.0,176.7\""))
    let map = Picture.map([[0, 0], [0.5, 1]], [-1, 1, 0, 0], [0, 1])
    #expect(map.contains("d=\"M0 0h2v1h-2z\""))  // two equal cells are one rectangle
    #expect(map.contains("cx=\"0.00\" cy=\"0.00\" fill=\"#0b3d91\""))
    #expect(map.contains("cx=\"1.00\" cy=\"1.00\" fill=\"#b34700\""))
    for picture in [curve, map] {
      try XMLTree.check(picture)
    }
  }
}

/// Whether tags are closed in the order in which they were opened.
private enum XMLTree {
  static func check(_ text: String) throws {
    var open: [Substring] = []
    for part in text.split(separator: "<").dropFirst(0) where part.contains(">") {
      let tag = part[..<part.firstIndex(of: ">")!]
      if tag.hasPrefix("/") {
        #expect(open.popLast() == tag.dropFirst())
      } else if !tag.hasSuffix("/") {
        open.append(tag.prefix { !$0.isWhitespace })
      }
    }
    #expect(open.isEmpty)
  }
}
