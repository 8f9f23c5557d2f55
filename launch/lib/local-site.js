// Lets DocC's pages work from a folder, without a server: browsers refuse to fetch files and to change
// the address of a page that is one. Each JSON file has a script beside it that brings the same content.
if (location.protocol === "file:") {
  const root = new URL(baseUrl, location.href);
  const waiting = new Map();

  // Called by the scripts: the content of the file that is beside them.
  window.localFile = (content) => waiting.get(document.currentScript)(content);

  window.fetch = (address) => {
    const url = new URL(address instanceof Request ? address.url : address, location.href);
    // The page /a/index.html is that of /a.
    const path = url.pathname.replace(/\/index\.html\.json$/, ".json");
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      waiting.set(script, (content) =>
        resolve(new Response(JSON.stringify(content), { status: 200 })));
      script.onerror = () => reject(new TypeError("there is no " + path));
      script.src = path + ".js";
      document.head.append(script);
    });
  };

  history.pushState = history.replaceState = () => {};

  addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    const url = link && new URL(link.href, location.href);
    if (!url || url.protocol !== "file:" || !url.pathname.startsWith(root.pathname)) return;
    if (event.ctrlKey || event.metaKey || event.shiftKey || link.target) return;
    event.preventDefault();
    event.stopPropagation();
    if (!/\.[a-z]+$/.test(url.pathname)) url.pathname = url.pathname.replace(/\/*$/, "/index.html");
    location.href = url.href;
  }, true);
}
