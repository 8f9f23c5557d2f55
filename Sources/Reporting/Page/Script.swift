/// The script of all pages: it shows the values of a chart under the pointer.
enum Script {
  static let hover = """
    (() => {
      const tip = document.createElement("div");
      tip.className = "tip"; tip.hidden = true; document.body.append(tip);
      const hide = () => {
        tip.hidden = true;
        document.querySelectorAll(".cursor").forEach(c => c.setAttribute("visibility", "hidden"));
      };
      document.addEventListener("pointermove", event => {
        const svg = event.target.closest && event.target.closest("svg[data-from]");
        hide();
        if (!svg) return;
        const d = svg.dataset, [from, to, left, right] = [+d.from, +d.to, +d.left, +d.right];
        const box = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / box.width;
        const x = from + ((event.clientX - box.left) * scale - left) / (right - left) * (to - from);
        let nearest = null; const lines = [];
        svg.querySelectorAll(".curve").forEach(curve => {
          let best = null;
          for (const point of curve.dataset.points.split(" ")) {
            const at = point.indexOf(":"), px = +point.slice(0, at);
            if (!best || Math.abs(px - x) < Math.abs(best[0] - x)) best = [px, point.slice(at + 1)];
          }
          if (!best) return;
          lines.push(curve.dataset.name + "  " + best[1]);
          if (nearest === null || Math.abs(best[0] - x) < Math.abs(nearest - x)) nearest = best[0];
        });
        if (nearest === null) return;
        const place = left + (nearest - from) / (to - from) * (right - left);
        const cursor = svg.querySelector(".cursor");
        cursor.setAttribute("x1", place); cursor.setAttribute("x2", place);
        cursor.setAttribute("visibility", "visible");
        tip.textContent = "step " + Math.round(nearest) + "\\n" + lines.join("\\n");
        tip.hidden = false;
        const width = tip.offsetWidth;
        const at = Math.min(event.pageX + 14, document.documentElement.clientWidth - width - 6);
        tip.style.left = Math.max(4, at) + "px";
        tip.style.top = event.pageY + 16 + "px";
      });
      document.addEventListener("pointerleave", hide);
    })();
    """
}

extension Script {
  /// The script of a watched page: every two seconds or more it asks whether something has changed, and then
  /// replaces what is shown.
  static let refresh = """

    (() => {
      let shown = null;
      const ask = view => fetch(location.pathname + "?view=" + view, {cache: "no-store"})
        .then(answer => { if (!answer.ok) throw answer.status; return answer; });
      const look = async () => {
        const start = performance.now();
        try {
          const state = (await (await ask("state")).json()).state;
          if (shown !== null && state !== shown) {
            const open = [...document.querySelectorAll("details")].map(d => d.open);
            document.getElementById("main").innerHTML = await (await ask("body")).text();
            document.querySelectorAll("details").forEach((d, i) => { d.open = open[i]; });
          }
          shown = state;
          document.body.classList.remove("lost");
        } catch (error) {
          document.body.classList.add("lost");
        }
        // Pages of long runs take a while: training comes first.
        const pause = Math.max(2000, 10 * (performance.now() - start));
        setTimeout(look, document.hidden ? 5 * pause : pause);
      };
      look();
    })();
    """
}
