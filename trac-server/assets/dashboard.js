// Keeps an open page up to date: requests the number of `/dashboard/changes` every second, and the changing
// part of the page when the number has changed.
(() => {
  "use strict";
  const live = document.getElementById("live");
  const pulse = document.getElementById("pulse");
  const PAUSE_MS = 1000;

  // The number of the part that is shown. It is requested before the part, so that a change between the two
  // requests is noticed.
  let number = live.dataset.number;

  // The HTML as this browser serializes it, so that it can be compared with the part that is shown.
  const written = (html) => {
    const part = document.createElement("main");
    part.innerHTML = html;
    return part.innerHTML.trim();
  };
  let shown = live.innerHTML.trim();

  const say = (state, word) => {
    pulse.dataset.state = state;
    pulse.querySelector("em").textContent = word;
  };

  const get = async (address) => {
    const answer = await fetch(address, { redirect: "manual", cache: "no-store" });
    // The session has ended; after the reload, the server redirects to the login page.
    if (answer.type === "opaqueredirect") {
      location.reload();
      throw new Error("the session is over");
    }
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.text();
  };

  // New rows are highlighted for a moment.
  const swap = (html) => {
    const before = new Set([...live.querySelectorAll("li[id]")].map((row) => row.id));
    live.innerHTML = html;
    for (const row of live.querySelectorAll("li[id]")) {
      if (!before.has(row.id)) row.classList.add("new");
    }
  };

  const look = async () => {
    if (document.visibilityState === "visible") {
      try {
        const now = await get(live.dataset.changes);
        if (now !== number) {
          const html = written(await get(live.dataset.source));
          if (html !== shown) swap(html);
          shown = html;
          number = now;
        }
        say("live", "up to date");
      } catch {
        say("lost", "connection lost, trying again");
      }
    }
    setTimeout(look, PAUSE_MS);
  };

  look();
})();
