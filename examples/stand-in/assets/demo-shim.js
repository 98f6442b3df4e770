// Demo only; a shop does not need this. The page has real Payment Links (https://buy.stripe.com/…), and
// trac.js decorates them as on any page. The simulator on this machine replaces Stripe, so a click on such a
// link opens the same path and query there. The strip at the top shows the click ID that trac.js found.
(() => {
  const stripe = document.currentScript.dataset.stripe;
  const hosts = ["buy.stripe.com", "donate.stripe.com", "book.stripe.com"];
  addEventListener("click", (event) => {
    const link = event.composedPath().find((node) => node instanceof HTMLAnchorElement && node.href);
    const url = link && new URL(link.href);
    if (!url || !hosts.includes(url.hostname)) return;
    event.preventDefault();
    location.assign(stripe + url.pathname + url.search);
  }, true);

  const strip = document.createElement("div");
  strip.id = "trac-demo";
  strip.style.cssText = "background:#1f2937;color:#e5e7eb;font:13px ui-monospace,monospace;padding:.5rem 1rem;text-align:center";
  const show = () => {
    const id = window.trac && trac.getClickId ? trac.getClickId() : null;
    strip.textContent = id ? `trac.getClickId() = "${id}"` : "trac.getClickId() = null (no partner sent you)";
  };
  document.body.prepend(strip);
  addEventListener("trac:ready", show);
  addEventListener("trac:click", show);
  addEventListener("load", show);
  show();
})();
