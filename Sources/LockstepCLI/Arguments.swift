// Types of the library that are values of options.
public import ArgumentParser
public import Lockstep

extension DataPart: ExpressibleByArgument {}
extension Overlap: ExpressibleByArgument {}
extension Precision: ExpressibleByArgument {}
extension WireFormat: ExpressibleByArgument {}
