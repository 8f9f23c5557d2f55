import Testing

import Reporting

@Suite struct HTMLTests {
  @Test func `interpolated text is escaped and markup is not`() {
    let name = "<script>alert('1')</script> & \"x\""
    let cell: HTML = "<b>\("x" as HTML)</b>\(name)"
    #expect(
      cell.text
        == "<b>x</b>&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;x&quot;")
  }

  @Test func `characters that no document may hold become replacement characters`() {
    let text = "a\u{0}b\u{1B}[1m\u{202E}c\n"
    #expect(HTML(text).text == "a\u{FFFD}b\u{FFFD}[1m\u{FFFD}c\n")
  }
}
