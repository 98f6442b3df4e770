// Keeps the page in front up to date: asks for the part that changes, and swaps it in when it did change.
(() => {
  "use strict";
  const live = document.getElementById("live");
  const pulse = document.getElementById("pulse");
  const PAUSE_MS = 1000;

  // As the browser writes it: so what was on the page from the beginning can be compared with what is there when somebody first looks,
  // which is long after where the page was opened behind another.
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

  // Rows that were not there before light up for a moment.
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
        const answer = await fetch(live.dataset.source, { redirect: "manual", cache: "no-store" });
        if (answer.type === "opaqueredirect") return location.reload();
        if (!answer.ok) throw new Error(String(answer.status));
        const html = written(await answer.text());
        if (html !== shown) swap(html);
        shown = html;
        say("live", "up to date");
      } catch {
        say("lost", "connection lost, trying again");
      }
    }
    setTimeout(look, PAUSE_MS);
  };

  look();
})();
