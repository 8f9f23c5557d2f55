/// The look of all pages: light and dark, from 320 pixels to wide screens, and on paper.
///
/// The colors of curves are those of Okabe and Ito, which people with any color vision can tell apart.
enum StyleSheet {
  static let text = """
    :root {
      color-scheme: light dark;
      --page: #f6f7f9; --sheet: #fff; --ink: #1b1f24; --soft: #5b6570; --line: #e2e6ea;
      --grid: #eceff2; --link: #0b62b0; --mark: #eef4fb;
      --good: #00734f; --bad: #b3400a; --busy: #0b62b0;
      --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #b5558f;
      --c4: #c98a00; --c5: #3a9fd6; --c6: #5b6570; --c7: #8a7a00;
    }
    @media (prefers-color-scheme: dark) {
      :root {
        --page: #101418; --sheet: #181d23; --ink: #e6eaee; --soft: #9aa5b1; --line: #2b333c;
        --grid: #242b33; --link: #7cc0f5; --mark: #1d2a38;
        --good: #4fd1a5; --bad: #ff9a5c; --busy: #7cc0f5;
        --c0: #56b4e9; --c1: #ff8a3d; --c2: #2fcf9f; --c3: #e39ac6;
        --c4: #f0b93a; --c5: #8fd0f7; --c6: #a8b2bd; --c7: #e6dc50;
      }
    }
    * { box-sizing: border-box; }
    body {
      margin: 0; background: var(--page); color: var(--ink);
      font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
      font-variant-numeric: tabular-nums; overflow-wrap: break-word;
    }
    main { max-width: 1180px; margin: 0 auto; padding: 24px 20px 60px; }
    h1 { font-size: 26px; line-height: 1.2; margin: 0; display: inline; letter-spacing: -0.01em; }
    h2 { font-size: 18px; margin: 0 0 12px; }
    h3 { font-size: 15px; margin: 18px 0 8px; }
    p { margin: 8px 0; }
    a { color: var(--link); }
    small, .soft { color: var(--soft); font-size: 13px; font-weight: normal; }
    header { margin-bottom: 18px; }
    header .soft { margin-top: 6px; }
    section {
      background: var(--sheet); border: 1px solid var(--line); border-radius: 10px;
      padding: 18px 20px; margin: 16px 0;
    }
    .state {
      display: inline-block; margin-left: 10px; padding: 1px 10px; border-radius: 99px;
      border: 1px solid currentColor; font-size: 13px; vertical-align: 4px; color: var(--soft);
    }
    .state.done { color: var(--good); } .state.running { color: var(--busy); }
    .state.failed, .state.died { color: var(--bad); }
    td .state { margin: 0; vertical-align: 0; }
    .cards {
      display: grid; gap: 12px; margin: 16px 0;
      grid-template-columns: repeat(auto-fit, minmax(150px, 1fr));
    }
    .card {
      background: var(--sheet); border: 1px solid var(--line); border-radius: 10px;
      padding: 10px 14px;
    }
    .card b { display: block; font-size: 22px; line-height: 1.3; font-weight: 600; }
    .card span { color: var(--soft); font-size: 13px; display: block; }
    .charts {
      display: grid; gap: 18px 28px;
      grid-template-columns: repeat(auto-fit, minmax(min(100%, 430px), 1fr));
    }
    .halves {
      display: grid; gap: 12px 40px;
      grid-template-columns: repeat(auto-fit, minmax(min(100%, 460px), 1fr));
    }
    .halves > div { min-width: 0; }
    figure { margin: 0; min-width: 0; }
    .square { max-width: 420px; }
    .legend.all { margin: 0 0 14px; font-size: 14px; }
    figcaption { font-weight: 600; margin-bottom: 2px; }
    svg { width: 100%; height: auto; display: block; overflow: visible; }
    svg text { fill: var(--soft); font-size: 12px; }
    svg .grid { stroke: var(--grid); } svg .axis, svg .tick { stroke: var(--soft); }
    svg .cursor { stroke: var(--soft); stroke-dasharray: 2 3; }
    .c0 { --c: var(--c0); } .c1 { --c: var(--c1); } .c2 { --c: var(--c2); }
    .c3 { --c: var(--c3); } .c4 { --c: var(--c4); } .c5 { --c: var(--c5); }
    .c6 { --c: var(--c6); } .c7 { --c: var(--c7); }
    .curve polyline { fill: none; stroke: var(--c); stroke-width: 2; stroke-linejoin: round; }
    .curve.dashed polyline { stroke-width: 1.5; stroke-dasharray: 5 3; }
    .curve polygon { fill: var(--c); opacity: 0.18; }
    .curve circle, .dots circle { fill: var(--c); }
    .dots circle { opacity: 0.55; }
    .legend { display: flex; flex-wrap: wrap; gap: 2px 16px; font-size: 13px; color: var(--soft); }
    .key i {
      display: inline-block; width: 16px; border-top: 3px solid var(--c);
      margin-right: 6px; vertical-align: 4px;
    }
    .key.dashed i { border-top-style: dashed; border-top-width: 2px; }
    .key.block i { height: 11px; width: 11px; border: 0; background: var(--c); vertical-align: -1px;
      border-radius: 2px; }
    .table { overflow-x: auto; }
    table { border-collapse: collapse; font-size: 14px; width: 100%; }
    th { text-align: left; font-weight: 600; color: var(--soft); font-size: 13px; }
    th, td { padding: 5px 12px 5px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
    tr:last-child td { border-bottom: 0; }
    td.number, th.number { text-align: right; white-space: nowrap; }
    td.name { color: var(--soft); white-space: nowrap; }
    tbody tr:hover td { background: var(--mark); }
    .whole { white-space: nowrap; }
    td.best { font-weight: 600; color: var(--good); }
    .matrix { width: auto; margin: 0; }
    .matrix td, .matrix th {
      padding: 0; width: 44px; min-width: 30px; height: 32px; text-align: center; font-size: 13px;
      border: 1px solid var(--sheet); vertical-align: middle;
    }
    .matrix th { max-width: 120px; overflow: hidden; text-overflow: ellipsis; padding: 0 6px; }
    .matrix td { background: color-mix(in srgb, var(--c) calc(var(--v) * 1%), var(--grid)); }
    .matrix td.zero { color: transparent; background: var(--grid); }
    .matrix td.strong { color: var(--sheet); font-weight: 600; }
    .meter { display: inline-block; width: 70px; height: 7px; background: var(--grid);
      border-radius: 4px; margin-left: 8px; vertical-align: 1px; overflow: hidden; }
    .meter i { display: block; height: 100%; background: var(--c0); }
    .pictures {
      display: grid; gap: 14px; grid-template-columns: repeat(auto-fill, minmax(104px, 1fr));
    }
    .pictures figure { font-size: 13px; text-align: center; line-height: 1.35; }
    .pictures img {
      width: 100%; image-rendering: pixelated; border-radius: 6px; display: block;
      margin-bottom: 4px; border: 1px solid var(--line);
    }
    .pictures b { color: var(--bad); }
    .bars { display: grid; grid-template-columns: max-content 1fr max-content; gap: 6px 12px;
      align-items: center; margin-top: 10px; }
    .bar { display: flex; height: 20px; border-radius: 4px; overflow: hidden;
      background: var(--grid); }
    .bar i { background: var(--c); height: 100%; }
    .line { position: relative; height: 12px; background: var(--grid); border-radius: 4px;
      margin: 10px 0; overflow: hidden; }
    .line i { position: absolute; top: 0; bottom: 0; background: var(--c); min-width: 2px;
      border-radius: 3px; }
    pre, .prompt {
      font: 13px/1.5 ui-monospace, "SF Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace;
    }
    pre {
      background: var(--page); border: 1px solid var(--line); border-radius: 6px; margin: 8px 0;
      padding: 10px 12px; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere;
    }
    .prompt { color: var(--soft); }
    details > summary { cursor: pointer; color: var(--link); }
    .warning { color: var(--bad); font-size: 13px; }
    .tip {
      position: absolute; pointer-events: none; background: var(--ink); color: var(--page);
      padding: 5px 9px; border-radius: 6px; font-size: 13px; line-height: 1.4; white-space: pre;
      z-index: 2;
    }
    body.lost footer::before { content: "No answer from lockstep watch. "; color: var(--bad); }
    footer { color: var(--soft); font-size: 13px; text-align: center; }
    @media (max-width: 600px) {
      main { padding: 16px 10px 40px; }
      section { padding: 14px 12px; }
      h1 { font-size: 22px; }
      svg text { font-size: 15px; }
      .cards { grid-template-columns: 1fr 1fr; gap: 8px; }
      .card b { font-size: 19px; }
      th, td { padding-right: 10px; }
      .meter { display: none; }
    }
    @media print {
      :root { --page: #fff; color-scheme: light; }
      * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
      section, .card { break-inside: avoid; border-color: #ccc; }
      main { max-width: none; padding: 0; }
    }
    """
}
