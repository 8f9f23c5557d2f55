import Foundation
import Reporting
import TestSupport
import Testing

@Suite struct WatchTests {
  private func site() throws -> (TemporaryDirectory, WatchSite) {
    let folder = try TemporaryDirectory()
    try FileManager.default.createDirectory(
      atPath: folder.path("runs/a b/1"), withIntermediateDirectories: true)
    try folder.write("done", to: "runs/a b/1/STATUS")
    try folder.write(log(steps: 10), to: "runs/a b/1/metrics.jsonl")
    try folder.write("secret", to: "report.html")
    return (folder, WatchSite(directory: folder.path("runs")))
  }

  private func html(_ answer: WatchSite.Answer) -> String? {
    if case .html(let text) = answer { text } else { nil }
  }

  @Test func `the list links to each run`() throws {
    let (folder, site) = try site()
    defer { withExtendedLifetime(folder) {} }
    let page = try #require(html(site.answer(to: "/", .page, nonce: "n0")))
    #expect(page.contains("href=\"/run/a%20b/1\""))
    #expect(page.contains("<script nonce=\"n0\">"))
  }

  @Test func `a run has a page, a body and a state`() throws {
    let (folder, site) = try site()
    defer { withExtendedLifetime(folder) {} }
    let page = try #require(html(site.answer(to: "/run/a b/1", .page, nonce: "n")))
    let body = try #require(html(site.answer(to: "/run/a b/1", .body, nonce: "n")))
    #expect(page.contains(body))
    #expect(!body.contains("<script"))
    guard case .json(let state) = site.answer(to: "/run/a b/1", .state, nonce: "n") else {
      Issue.record("no JSON")
      return
    }
    #expect(state.hasPrefix(#"{"state":"done 10 "#))
  }

  @Test(arguments: [
    "", "/run/", "/run/..", "/report/..", "/report/../", "/run/a b", "/run/a b/1/", "/run//a b/1",
    "/report/a b/../../../report.html", "/report/a b/1", "/etc/passwd", "/run/a b/1\u{0}",
  ])
  func `other paths give nothing`(path: String) throws {
    let (folder, site) = try site()
    defer { withExtendedLifetime(folder) {} }
    #expect(site.answer(to: path, .page, nonce: "n") == .missing)
  }

  @Test func `a report that was written is given as it is`() throws {
    let (folder, site) = try site()
    try folder.write("<p>made", to: "runs/a b/1/report.html")
    #expect(site.answer(to: "/report/a b/1", .page, nonce: "n") == .file(Array("<p>made".utf8)))
  }

  @Test func `a token equals itself only`() throws {
    let token = try #require(AccessToken("abcdefgh"))
    #expect(token.equals("abcdefgh"))
    for other in [nil, "", "abcdefg", "abcdefghi", "abcdefgH", "Abcdefgh"] {
      #expect(!token.equals(other))
    }
    #expect(AccessToken("short") == nil)
    #expect(AccessToken("with space!") == nil)
    #expect(AccessToken().text.count == 32)
    #expect(AccessToken().text != AccessToken().text)
  }

  @Test func `tokens are read from headers`() {
    #expect(AccessToken.cookie("a", in: "b=1; a=2") == "2")
    #expect(AccessToken.cookie("a", in: "aa=1") == nil)
    #expect(AccessToken.cookie("a", in: nil) == nil)
    #expect(AccessToken.bearer(in: "Bearer abc") == "abc")
    #expect(AccessToken.bearer(in: "Basic abc") == nil)
  }
}
