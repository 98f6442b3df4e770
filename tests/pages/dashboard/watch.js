// Runs before a page's own scripts, and notes what the page does that it should not.
(() => {
  const seen = { shift: 0, shifted: [], refused: [], errors: [] };
  Object.defineProperty(window, "seen", { value: seen });
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (entry.hadRecentInput) continue;
      seen.shift += entry.value;
      seen.shifted.push(...entry.sources.map(({ node }) => node?.parentElement?.outerHTML.slice(0, 120)));
    }
  }).observe({ type: "layout-shift", buffered: true });
  document.addEventListener("securitypolicyviolation", (event) => {
    seen.refused.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
  });
  addEventListener("error", (event) => seen.errors.push(String(event.message)), true);
  addEventListener("unhandledrejection", (event) => seen.errors.push(String(event.reason)));
  for (const dialog of ["alert", "confirm", "prompt"]) window[dialog] = () => seen.errors.push(dialog);
})();
