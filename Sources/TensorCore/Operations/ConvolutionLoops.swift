internal import CKernels

// How convolutions are computed: tiles of the matrix of patches (im2col), of bounded size, are
// gathered, and BLAS multiplies them. How the work is cut depends on the sizes alone, never on the
// number of threads, and so do the results. `Convolution` uses only the three functions of
// `ConvolutionLoops`, so that others can take their place.

/// Some output positions of one image, or all positions of several.
private struct Tile {
  let images: Range<Int>
  let positions: Range<Int>
  /// The columns of the tile in a matrix: image after image.
  var columns: Int { images.count * positions.count }
}

extension Convolution {
  /// The most columns of a tile, and the most rows (kernel elements) of a panel of patches.
  private static let tileColumns = 384
  private static let panelRows = 576

  /// The elements of one channel of the input and of the output.
  fileprivate var inputPlane: Int { windows.height * windows.width }
  fileprivate var outputPlane: Int { windows.out_height * windows.out_width }
  /// The kernel elements of one channel and of all channels of a group: the columns of the weight.
  fileprivate var kernelArea: Int { windows.kernel_height * windows.kernel_width }
  fileprivate var kernelElements: Int { inputChannels * kernelArea }

  /// Whether the matrix of patches is the image itself.
  fileprivate var isPointwise: Bool {
    kernelArea == 1 && windows.stride_y == 1 && windows.stride_x == 1 && windows.padding_y == 0
      && windows.padding_x == 0 && inputPlane == outputPlane
  }

  /// The images in a tile when their positions are few, and the number of such groups.
  private var imagesPerTile: Int { max(1, min(images, Self.tileColumns / max(1, outputPlane))) }
  fileprivate var imageGroups: Int { (images + imagesPerTile - 1) / imagesPerTile }
  /// The tiles of an image when its positions are many, and the positions of each.
  fileprivate var tilesPerImage: Int {
    max(1, (outputPlane + Self.tileColumns - 1) / Self.tileColumns)
  }
  private var positionsPerTile: Int { (outputPlane + tilesPerImage - 1) / tilesPerImage }
  fileprivate var tileCount: Int { imageGroups * tilesPerImage }
  /// The columns of the largest tile and the rows of the largest panel.
  fileprivate var largestTile: Int { imagesPerTile * positionsPerTile }
  fileprivate var largestPanel: Int { min(kernelElements, Self.panelRows) }

  /// The channels that share a panel.
  fileprivate var channelsPerPanel: Int { max(1, min(inputChannels, Self.panelRows / kernelArea)) }
  fileprivate var channelBlocks: Int { (inputChannels + channelsPerPanel - 1) / channelsPerPanel }
  private var panelCount: Int { (kernelElements + Self.panelRows - 1) / Self.panelRows }

  /// The partial sums of the gradient of the weight, so that several threads have work.
  var weightGradientChunks: Int { max(1, min(tileCount, 16 / (groups * panelCount))) }

  fileprivate func tile(_ index: Int) -> Tile {
    let image = index / tilesPerImage * imagesPerTile
    let position = index % tilesPerImage * positionsPerTile
    return Tile(
      images: image..<min(image + imagesPerTile, images),
      positions: position..<min(position + positionsPerTile, outputPlane))
  }

  /// `range` in parts of at most a panel's rows.
  fileprivate func panels(_ range: Range<Int>) -> [Range<Int>] {
    stride(from: range.lowerBound, to: range.upperBound, by: Self.panelRows).map {
      $0..<min($0 + Self.panelRows, range.upperBound)
    }
  }
}

/// The arithmetic of a convolution over dense memory.
struct ConvolutionLoops {
  private let sizes: Convolution
  private let dataType: DataType

  init(_ sizes: Convolution, _ dataType: DataType) {
    self.sizes = sizes
    self.dataType = dataType
  }

  /// y = weight · patches + bias, a tile of one group at a time.
  func forward(
    _ y: ElementPointer, _ x: ElementPointer, _ weight: ElementPointer, _ bias: ElementPointer?
  ) {
    forEachPart(sizes.tileCount * sizes.groups) { part, panel, buffer in
      let tile = sizes.tile(part / sizes.groups)
      let group = part % sizes.groups
      let isInPlace = tile.images.count == 1
      let target = BLAS.Matrix(
        elements: isInPlace ? outputRows(y, tile.images.lowerBound, group, tile) : buffer,
        rows: sizes.outputChannels, columns: tile.columns,
        leading: isInPlace ? sizes.outputPlane : tile.columns)
      if let bias {
        for channel in 0..<sizes.outputChannels {
          (target.elements + channel * target.leading).update(
            repeating: bias + (group * sizes.outputChannels + channel), count: tile.columns)
        }
      }
      for kernelElements in sizes.panels(0..<sizes.kernelElements) {
        BLAS.gemm(
          into: target, weights(weight, group, kernelElements),
          patches(x, group, kernelElements, tile, panel),
          adds: bias != nil || kernelElements.lowerBound > 0)
      }
      if !isInPlace { copyRows(tile, group, from: buffer, to: y) }
    }
  }

  /// dx = bias + the transpose of gathering, applied to weightᵀ · dy: some channels of some images
  /// at a time, which no other part adds to.
  func inputGradient(
    _ dx: ElementPointer, _ dy: ElementPointer, _ weight: ElementPointer, _ bias: ElementPointer?
  ) {
    let blocks = sizes.channelBlocks
    forEachPart(sizes.imageGroups * sizes.groups * blocks) { part, panel, buffer in
      let group = part / blocks % sizes.groups
      let firstTile = part / blocks / sizes.groups * sizes.tilesPerImage
      let first = part % blocks * sizes.channelsPerPanel
      let channels = first..<min(first + sizes.channelsPerPanel, sizes.inputChannels)
      for image in sizes.tile(firstTile).images {
        for channel in channels {
          let plane = inputPlanes(dx, image, group) + channel * sizes.inputPlane
          if let bias {
            plane.update(
              repeating: bias + (group * sizes.inputChannels + channel), count: sizes.inputPlane)
          } else {
            plane.update(repeating: 0, count: sizes.inputPlane)
          }
        }
      }
      let area = sizes.kernelArea
      for tile in (firstTile..<firstTile + sizes.tilesPerImage).map(sizes.tile) {
        let gradient = rows(of: dy, tile, group, buffer)
        for kernelElements in sizes.panels(channels.lowerBound * area..<channels.upperBound * area)
        {
          addPatches(
            weights(weight, group, kernelElements), gradient, kernelElements, tile, group, to: dx,
            panel)
        }
      }
    }
  }

  /// `weightGradientChunks` partial sums of dw = dy · patchesᵀ, each over some of the tiles.
  func weightGradient(_ dw: ElementPointer, _ x: ElementPointer, _ dy: ElementPointer) {
    let (chunks, panels) = (sizes.weightGradientChunks, sizes.panels(0..<sizes.kernelElements))
    let size = sizes.groups * sizes.outputChannels * sizes.kernelElements
    if sizes.tileCount == 0 || sizes.outputPlane == 0 {
      return dw.update(repeating: 0, count: size)
    }
    forEachPart(chunks * sizes.groups * panels.count) { part, panel, buffer in
      let chunk = part / panels.count / sizes.groups
      let group = part / panels.count % sizes.groups
      let kernelElements = panels[part % panels.count]
      let tiles = sizes.tileCount * chunk / chunks..<sizes.tileCount * (chunk + 1) / chunks
      for index in tiles {
        let tile = sizes.tile(index)
        let patches = patches(x, group, kernelElements, tile, panel)
        BLAS.gemm(
          into: weights(dw + chunk * size, group, kernelElements),
          rows(of: dy, tile, group, buffer),
          patches.transposed, adds: index > tiles.lowerBound)
      }
    }
  }

  // MARK: Where things are

  private func inputPlanes(_ x: ElementPointer, _ image: Int, _ group: Int) -> ElementPointer {
    x + (image * sizes.groups + group) * sizes.inputChannels * sizes.inputPlane
  }

  /// The tile's positions of one image, in the first channel of a group of the output.
  private func outputRows(
    _ y: ElementPointer, _ image: Int, _ group: Int, _ tile: Tile
  ) -> ElementPointer {
    y
      + ((image * sizes.groups + group) * sizes.outputChannels * sizes.outputPlane
        + tile.positions.lowerBound)
  }

  /// Some columns of a group's weight.
  private func weights(
    _ weight: ElementPointer, _ group: Int, _ kernelElements: Range<Int>
  ) -> BLAS.Matrix {
    BLAS.Matrix(
      elements: weight
        + (group * sizes.outputChannels * sizes.kernelElements + kernelElements.lowerBound),
      rows: sizes.outputChannels, columns: kernelElements.count, leading: sizes.kernelElements)
  }

  /// The matrix [kernel elements, tile columns] of patches: part of the image itself if possible,
  /// else gathered in `panel`.
  private func patches(
    _ x: ElementPointer, _ group: Int, _ kernelElements: Range<Int>, _ tile: Tile,
    _ panel: ElementPointer
  ) -> BLAS.Matrix {
    if sizes.isPointwise, tile.images.count == 1 {
      return pointwisePatches(x, group, kernelElements, tile)
    }
    forEachImage(tile, panel) { image, columns in
      withUnsafePointer(to: sizes.windows) {
        ck_im2col(
          dataType.kernelType, columns.address, inputPlanes(x, image, group).address, $0,
          kernelElements.lowerBound, kernelElements.count, tile.positions.lowerBound,
          tile.positions.count, tile.columns)
      }
    }
    return BLAS.Matrix(
      elements: panel, rows: kernelElements.count, columns: tile.columns, leading: tile.columns)
  }

  /// The patches of a tile of one image, when the kernel has a single element.
  private func pointwisePatches(
    _ x: ElementPointer, _ group: Int, _ kernelElements: Range<Int>, _ tile: Tile
  ) -> BLAS.Matrix {
    BLAS.Matrix(
      elements: inputPlanes(x, tile.images.lowerBound, group)
        + (kernelElements.lowerBound * sizes.inputPlane + tile.positions.lowerBound),
      rows: kernelElements.count, columns: tile.columns, leading: sizes.inputPlane)
  }

  /// Adds weightᵀ · dy to the elements of dx that the patches were taken from.
  private func addPatches(
    _ weight: BLAS.Matrix, _ gradient: BLAS.Matrix, _ kernelElements: Range<Int>, _ tile: Tile,
    _ group: Int, to dx: ElementPointer, _ panel: ElementPointer
  ) {
    if sizes.isPointwise, tile.images.count == 1 {
      return BLAS.gemm(
        into: pointwisePatches(dx, group, kernelElements, tile), weight.transposed, gradient,
        adds: true)
    }
    let patches = BLAS.Matrix(
      elements: panel, rows: kernelElements.count, columns: tile.columns, leading: tile.columns)
    BLAS.gemm(into: patches, weight.transposed, gradient, adds: false)
    forEachImage(tile, panel) { image, columns in
      withUnsafePointer(to: sizes.windows) {
        ck_col2im(
          dataType.kernelType, inputPlanes(dx, image, group).address, columns.address, $0,
          kernelElements.lowerBound, kernelElements.count, tile.positions.lowerBound,
          tile.positions.count, tile.columns)
      }
    }
  }

  /// The matrix [channels, tile columns] of a group of the output: in place for one image, else
  /// copied to `buffer`.
  private func rows(
    of y: ElementPointer, _ tile: Tile, _ group: Int, _ buffer: ElementPointer
  ) -> BLAS.Matrix {
    let isInPlace = tile.images.count == 1
    if !isInPlace {
      forEachRow(tile, group) { position, column in
        (buffer + column).update(from: y + position, count: tile.positions.count)
      }
    }
    return BLAS.Matrix(
      elements: isInPlace ? outputRows(y, tile.images.lowerBound, group, tile) : buffer,
      rows: sizes.outputChannels, columns: tile.columns,
      leading: isInPlace ? sizes.outputPlane : tile.columns)
  }

  private func copyRows(
    _ tile: Tile, _ group: Int, from buffer: ElementPointer, to y: ElementPointer
  ) {
    forEachRow(tile, group) { position, column in
      (y + position).update(from: buffer + column, count: tile.positions.count)
    }
  }

  /// Calls `body` with each image of a tile and its columns in a panel.
  private func forEachImage(
    _ tile: Tile, _ panel: ElementPointer, _ body: (Int, ElementPointer) -> Void
  ) {
    for (index, image) in tile.images.enumerated() {
      body(image, panel + index * tile.positions.count)
    }
  }

  /// Calls `body` with the offset of each image's part of each channel in the output and in a matrix.
  private func forEachRow(_ tile: Tile, _ group: Int, _ body: (Int, Int) -> Void) {
    for (index, image) in tile.images.enumerated() {
      let first = (image * sizes.groups + group) * sizes.outputChannels
      for channel in 0..<sizes.outputChannels {
        body(
          (first + channel) * sizes.outputPlane + tile.positions.lowerBound,
          channel * tile.columns + index * tile.positions.count)
      }
    }
  }

  /// Calls `body` for every part on the kernels' threads, with memory that no other thread uses
  /// meanwhile: a panel of patches, and a buffer for a tile of all output channels.
  private func forEachPart(
    _ parts: Int, _ body: (_ part: Int, _ panel: ElementPointer, _ buffer: ElementPointer) -> Void
  ) {
    guard parts > 0 else { return }
    let multiplications =
      sizes.images * sizes.outputPlane * sizes.groups * sizes.outputChannels * sizes.kernelElements
    let workers = multiplications < 1 << 17 ? 1 : min(Threads.count, parts)
    let panelCount = sizes.largestTile * sizes.largestPanel
    let scratchCount = panelCount + sizes.largestTile * sizes.outputChannels
    let memory = Tensor(uninitialized: [workers, scratchCount], dataType)
    parallel(workers) { worker in
      let panel = memory.elements + worker * scratchCount
      for part in stride(from: worker, to: parts, by: workers) {
        body(part, panel, panel + panelCount)
      }
    }
    withExtendedLifetime(memory) {}
  }
}
