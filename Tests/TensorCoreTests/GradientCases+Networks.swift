/// The rows of normalisation, attention, embedding and the smoother activations.
let networkGradientCases: [GradientCase] = []
