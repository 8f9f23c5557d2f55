import Base
import FlyingFox
import FlyingSocks
import Foundation
import Lockstep
import Reporting

/// The HTTP server of `lockstep watch`, which only reads.
///
/// Without a token it answers only requests that name this computer itself as their host: otherwise a page of
/// another site, whose name was made to lead here, could read the answers.
struct WatchServer {
  let site: WatchSite
  let host: String
  let token: AccessToken?
  private let server: HTTPServer
  /// The port that was asked for; 0 is any.
  private let port: UInt16

  /// A server that does not listen yet; throws for a host that is no address.
  init(_ site: WatchSite, host: String, port: UInt16, token: AccessToken?) throws {
    (self.site, self.host, self.port, self.token) = (site, host, port, token)
    do {
      let number = host == "localhost" ? "127.0.0.1" : host
      server =
        number.contains(":")
        ? HTTPServer(address: try .inet6(ip6: number, port: port), logger: .disabled)
        : HTTPServer(address: try .inet(ip4: number, port: port), logger: .disabled)
    } catch {
      throw CommandError(
        "'\(host)' is no address: use 127.0.0.1, ::1, 0.0.0.0 or that of a network card", .usage)
    }
  }

  /// Whether an address can only be reached from this computer.
  static func isLoopback(_ host: String) -> Bool {
    host == "localhost" || host == "::1" || host.wholeMatch(of: /127\.\d+\.\d+\.\d+/) != nil
  }

  /// Serves until it fails; calls `onStart` with the address of the first page when it listens.
  func run(onStart: @escaping @Sendable (String) -> Void) async throws {
    await server.appendRoute(HTTPRoute("*")) { [self] request in answer(request) }
    do {
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { [server] in try await server.run() }
        group.addTask { [self] in
          try await server.waitUntilListening()
          onStart(await address())
        }
        try await group.next()
        try await group.next()
      }
    } catch let error as SocketError {
      if case .failed(_, EADDRINUSE, _) = error {
        throw CommandError(
          "port \(port) of \(host) is taken: choose another with --port, or 0 for any free one",
          .cannotCreate)
      }
      throw CommandError("cannot serve on \(host), port \(port): \(error)", .cannotCreate)
    }
  }

  private func address() async -> String {
    var port = self.port
    switch await server.listeningAddress {
    case .ip4(_, let number)?, .ip6(_, let number)?: port = number
    default: break
    }
    let name =
      ["0.0.0.0", "::"].contains(host)
      ? ProcessInfo.processInfo.hostName : host.contains(":") ? "[\(host)]" : host
    return "http://\(name):\(port)/" + (token.map { "?token=\($0.text)" } ?? "")
  }

  // MARK: Requests

  private func answer(_ request: HTTPRequest) -> HTTPResponse {
    guard [.GET, .HEAD].contains(request.method) else {
      return message(
        .methodNotAllowed, "only GET and HEAD are answered", [HTTPHeader("Allow"): "GET, HEAD"])
    }
    let path = request.target.path(percentEncoded: false)
    if let token {
      let given = request.query["token"]
      if token.equals(given) {
        // The secret does not stay in the address, which browsers keep and show. Two slashes at the
        // start would name another host.
        let place = "/" + request.target.path(percentEncoded: true).drop { $0 == "/" || $0 == "\\" }
        let cookie = "\(cookieName)=\(token.text); Path=/; HttpOnly; SameSite=Lax"
        return message(
          .seeOther, "",
          [.location: place, HTTPHeader("Set-Cookie"): cookie])
      }
      guard
        token.equals(AccessToken.cookie(cookieName, in: request.headers[HTTPHeader("Cookie")]))
          || token.equals(AccessToken.bearer(in: request.headers[.authorization]))
      else {
        return message(
          .unauthorized, "open the address that lockstep watch has printed, with its ?token=",
          [HTTPHeader("WWW-Authenticate"): "Bearer"])
      }
    } else if !namesThisComputer(request.headers[.host]) {
      return message(.forbidden, "this server is for this computer only")
    }
    let nonce = AccessToken().text
    let view = request.query["view"].flatMap(WatchSite.View.init) ?? .page
    var response =
      switch site.answer(to: path, view, nonce: nonce) {
      case .html(let text):
        response(.ok, "text/html; charset=utf-8", Data(text.utf8), pagePolicy(nonce))
      case .json(let text): response(.ok, "application/json", Data(text.utf8), "default-src 'none'")
      case .file(let bytes): response(.ok, "text/html; charset=utf-8", Data(bytes), filePolicy)
      case .missing: message(.notFound, "there is no such page")
      }
    if request.method == .HEAD { response.payload = .httpBody(HTTPBodySequence(data: Data())) }
    return response
  }

  private var cookieName: String { "lockstep-\(port)" }

  private func namesThisComputer(_ header: String?) -> Bool {
    guard let header else { return false }
    return header.wholeMatch(of: /(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?/) != nil
  }

  private func pagePolicy(_ nonce: String) -> String {
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-\(nonce)'; img-src data:; "
      + "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
  }

  /// A file of a run's directory may have been written by anybody who can write there.
  private var filePolicy: String {
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
      + "sandbox allow-scripts; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
  }

  private func message(
    _ status: HTTPStatusCode, _ text: String, _ headers: [HTTPHeader: String] = [:]
  ) -> HTTPResponse {
    var response = response(
      status, "text/plain; charset=utf-8", Data((text + "\n").utf8), "default-src 'none'")
    for (header, value) in headers { response.headers[header] = value }
    return response
  }

  private func response(
    _ status: HTTPStatusCode, _ type: String, _ body: Data, _ policy: String
  ) -> HTTPResponse {
    HTTPResponse(
      statusCode: status,
      headers: HTTPHeaders([
        .contentType: type, HTTPHeader("Content-Security-Policy"): policy,
        HTTPHeader("Cache-Control"): "no-store", HTTPHeader("Referrer-Policy"): "no-referrer",
        HTTPHeader("X-Content-Type-Options"): "nosniff", HTTPHeader("X-Frame-Options"): "DENY",
        HTTPHeader("Cross-Origin-Resource-Policy"): "same-origin",
      ]), body: body)
  }
}
