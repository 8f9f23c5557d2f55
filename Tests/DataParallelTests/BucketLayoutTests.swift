import DataParallel
import Testing

@Suite struct BucketLayoutTests {
  private let block = BucketLayout.alignment

  @Test(
    "buckets cover all elements in order, in whole blocks",
    arguments: [0, 1, 100, 16384, 16385, 300_000, 2_000_000], [0, 1, 1 << 16, 1 << 19, 1 << 22])
  func coverage(count: Int, bytes: Int) {
    let layout = BucketLayout(count: count, bytes: bytes, chunksPerBucket: 1)
    var end = 0
    for bucket in layout.buckets {
      #expect(bucket.lowerBound == end && !bucket.isEmpty)
      #expect(bucket.lowerBound % block == 0)
      end = bucket.upperBound
    }
    #expect(end == count)
    if bytes == 0 { #expect(layout.buckets.count <= 1) }
  }

  @Test("the last megabyte is in small buckets, which nothing is left to hide behind")
  func tail() {
    let count = 8 << 20
    let sizes = BucketLayout(count: count, bytes: 1 << 22, chunksPerBucket: 1).buckets
      .map { $0.count * 4 }
    // 31 MB before the last one: seven buckets of 4 MB and the rest.
    #expect(
      sizes == Array(repeating: 1 << 22, count: 7) + [3 << 20] + Array(repeating: 1 << 18, count: 4)
    )
  }

  @Test("the chunks of a node's ranks make up each bucket", arguments: [1, 2, 3, 4, 7])
  func chunks(ranks: Int) {
    let count = 1_000_003
    let layout = BucketLayout(count: count, bytes: 1 << 19, chunksPerBucket: ranks)
    let chunks = (0..<ranks).map { layout.chunks(ofLocalRank: $0) }
    for (number, bucket) in layout.buckets.enumerated() {
      var end = bucket.lowerBound
      for rank in 0..<ranks {
        let chunk = chunks[rank][number]
        #expect(chunk.lowerBound == end)
        #expect(chunk.lowerBound % block == 0 || chunk.lowerBound == bucket.upperBound)
        end = chunk.upperBound
      }
      #expect(end == bucket.upperBound)
    }
    // A rank that some node does not have gets nothing.
    #expect(layout.chunks(ofLocalRank: ranks).map(\.isEmpty) == layout.buckets.map { _ in true })
  }
}
