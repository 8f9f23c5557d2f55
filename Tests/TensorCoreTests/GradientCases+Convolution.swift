/// The rows of convolutions and pooling.
let convolutionGradientCases: [GradientCase] = []
