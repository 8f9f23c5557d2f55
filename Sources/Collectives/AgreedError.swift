/// An error that is thrown on all ranks at the same place, so that they may leave together.
public protocol AgreedError: Error {}

extension CollectiveFailure: AgreedError {}
extension RankDisagreement: AgreedError {}
