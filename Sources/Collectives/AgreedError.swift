/// An error that is thrown on all ranks at the same place, so that they can leave together.
public protocol AgreedError: Error {}
