// Views in the graph: a change of one is a change of the tensor that it is a view of, its base, and of all
// other views of that.
//
// As in PyTorch, the change is recorded as an operation of the base. A view notices by the storage's
// `graphVersion` that its base has changed, and becomes the result of an operation that takes its
// elements from the base as it is now.

/// Which elements of a tensor a view of it shows.
struct ViewLayout {
  let baseShape: TensorShape
  let baseStrides: TensorShape
  let shape: TensorShape
  let strides: TensorShape
  /// Of the first element, from the first of the base.
  let offset: Int

  init(of view: Tensor, in base: Tensor) {
    (baseShape, baseStrides) = (base.shape, base.strides)
    (shape, strides) = (view.shape, view.strides)
    offset = view.offset - base.offset
  }

  /// The axes along which an expanded view repeats its elements.
  var repeatedAxes: [Int] { shape.indices.filter { strides[$0] == 0 && shape[$0] > 1 } }

  /// This layout with each element once.
  private init(withoutRepetition layout: ViewLayout) {
    var once = layout.shape
    for axis in layout.repeatedAxes { once[axis] = 1 }
    (baseShape, baseStrides) = (layout.baseShape, layout.baseStrides)
    (shape, strides, offset) = (once, layout.strides, layout.offset)
  }
  var withoutRepetition: ViewLayout { ViewLayout(withoutRepetition: self) }

  /// The view of a tensor whose memory is laid out as the base's.
  fileprivate func view(of whole: Tensor) -> Tensor {
    withoutGrad { whole.view(shape, strides, whole.offset + offset) }
  }
}

extension Tensor {
  /// Whether this is a view whose changes cannot be recorded, because it was taken in `withoutGrad`.
  final var isUnrecordedView: Bool { viewedVersion != nil && base == nil }

  /// Brings the place of this tensor in the graph up to date, if it is a view of a tensor that was changed
  /// in place after the view was taken.
  ///
  /// Stops the program if that is impossible: the view shows the new elements, but has the history of
  /// the old ones.
  @inline(__always)
  final func followBase(_ operation: StaticString) {
    guard let viewedVersion, viewedVersion != storage.graphVersion else { return }
    takeElementsFromBase(operation)
  }

  private final func takeElementsFromBase(_ name: StaticString) {
    guard let base, base.storage === storage else {
      fatalError(
        """
        \(name): this \(shape) is a view of a tensor that was changed in place (or moved into a \
        ParameterArena) after the view was taken, so its gradient would be wrong; take the view after the \
        change, or change a copy()
        """)
    }
    viewedVersion = storage.graphVersion
    let old = operation
    operation = nil
    guard base.requiresGrad else { return }
    let new = Operation("View", self, [base])
    let layout = ViewLayout(of: self, in: base)
    new.pullback = .returning { dy in [dy.placed(in: layout)] }
    new.savesNothing = true
    if let old { (new.hooks, new.retainingTensor) = (old.hooks, old.retainingTensor) }
    operation = new
  }

  /// Makes this detached result, which an operation returned, a view of the input whose elements it
  /// shares.
  final func becomeView(ofOneOf inputs: [Tensor]) {
    guard let input = inputs.first(where: { $0.storage === storage }) else { return }
    viewedVersion = storage.graphVersion
    base = input.isUnrecordedView ? nil : input.base ?? input
    isViewOfGraph = base == nil
  }

  /// Makes this tensor, whose elements have been overwritten, the result of an operation of itself and
  /// `other`.
  ///
  /// The pullback returns the gradients of the old elements and of `other`.
  final func recordChange(
    _ name: StaticString, with other: Tensor, savesNothing: Bool, pullback: @escaping Pullback
  ) {
    if isUnrecordedView || isKnownUniquelyReferenced(&base) {
      // No other tensor shows these elements.
      (base, viewedVersion, isViewOfGraph) = (nil, nil, false)
    }
    storage.graphVersion += 1
    guard let base else {
      becomeResult(name, other, savesNothing, pullback)
      return
    }
    let layout = ViewLayout(of: self, in: base)
    base.becomeResult(name, other, savesNothing) { dy in
      let part = dy.elements(in: layout)
      let gradients = pullback(part)
      let old = gradients[0] ?? .zeros(part.shape, part.dataType)
      return [dy.replacing(layout, by: old)] + gradients.dropFirst()
    }
    followBase(name)
  }

  private final func becomeResult(
    _ name: StaticString, _ other: Tensor, _ savesNothing: Bool, _ pullback: @escaping Pullback
  ) {
    let new = Operation(name, self, [self, other])
    new.pullback = .returning(pullback)
    new.savesNothing = savesNothing
    if retainsGrad {
      retainsGrad = false
      new.retainingTensor = self
    }
    operation = new
  }

  /// Whether a change of this tensor can be recorded: that of a view that was taken in `withoutGrad` only
  /// if no other tensor shows the elements.
  final var recordsChanges: Bool {
    !isUnrecordedView || !isViewOfGraph && isKnownUniquelyReferenced(&storage)
  }
}

// MARK: - Elements of views, and back

extension Tensor {
  /// The elements that a view of a tensor of this shape shows, as a copy.
  private final func elements(in layout: ViewLayout) -> Tensor {
    withoutGrad { layout.view(of: laidOut(as: layout)).copy() }
      .recorded("ViewElements", from: self, savesNothing: true) { dy in [dy.placed(in: layout)] }
  }

  /// A tensor like the base of a view, of zeros, with these elements added where the view shows them.
  private final func placed(in layout: ViewLayout) -> Tensor {
    let once = layout.withoutRepetition
    let part =
      layout.repeatedAxes.isEmpty
      ? self : sum(axes: layout.repeatedAxes, keepingAxes: true)
    return Tensor.zeros(layout.baseShape, dataType).replacing(once, by: part)
  }

  /// A copy in which `part` replaces the elements that a view shows.
  private final func replacing(_ layout: ViewLayout, by part: Tensor) -> Tensor {
    let y = laidOut(as: layout)
    copyElements(from: part, to: layout.view(of: y))
    return y.recorded("ReplaceView", from: self, part, savesNothing: true) { dy in
      [
        dy.replacing(layout, by: .zeros(layout.shape, dy.dataType)),
        dy.elements(in: layout),
      ]
    }
  }

  /// A copy of this tensor in memory that is laid out as that of a view's base.
  private final func laidOut(as layout: ViewLayout) -> Tensor {
    var last = 0
    for axis in 0..<shape.count { last += Swift.max(shape[axis] - 1, 0) * layout.baseStrides[axis] }
    let y = Tensor(
      shape: shape, strides: layout.baseStrides, offset: 0,
      storage: Storage(byteCount: (last + 1) * dataType.byteCount), dataType: dataType,
      isContiguous: layout.baseStrides == shape.contiguousStrides)
    copyElements(from: self, to: y)
    return y
  }
}
