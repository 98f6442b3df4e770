// Keeps an open page up to date: requests the number of `/dashboard/changes` every second, and the changing
// part of the page when the number has changed.
(() => {
  "use strict";
  const live = document.getElementById("live");
  const pulse = document.getElementById("pulse");
  const PAUSE_MS = 1000;

  // The number of the part that is shown. The part may be a second old, and brings its own number.
  let number = live.dataset.number;

  // The HTML as this browser serializes it, so that it can be compared with the part that is shown.
  const normalized = (html) => {
    const part = document.createElement("main");
    part.innerHTML = html;
    return part.innerHTML.trim();
  };
  let shown = live.innerHTML.trim();

  const showState = (state, text) => {
    pulse.dataset.state = state;
    pulse.querySelector("em").textContent = text;
  };

  const get = async (address) => {
    const response = await fetch(address, { redirect: "manual", cache: "no-store" });
    // The session has ended; after the reload, the server redirects to the login page.
    if (response.type === "opaqueredirect") {
      location.reload();
      throw new Error("the session is over");
    }
    if (!response.ok) throw new Error(String(response.status));
    return { number: response.headers.get("x-changes"), text: await response.text() };
  };

  // New rows are highlighted for a moment.
  const replacePart = (html) => {
    const before = new Set([...live.querySelectorAll("li[id]")].map((row) => row.id));
    live.innerHTML = html;
    for (const row of live.querySelectorAll("li[id]")) {
      if (!before.has(row.id)) row.classList.add("new");
    }
  };

  const poll = async () => {
    if (document.visibilityState === "visible") {
      try {
        const current = await get(live.dataset.changes);
        if (current.text !== number) {
          const part = await get(live.dataset.source);
          const html = normalized(part.text);
          if (html !== shown) replacePart(html);
          shown = html;
          number = part.number;
        }
        showState("live", "up to date");
      } catch {
        showState("lost", "connection lost, trying again");
      }
    }
    setTimeout(poll, PAUSE_MS);
  };

  poll();
})();
