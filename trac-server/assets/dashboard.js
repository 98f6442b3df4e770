// Keeps the page in front up to date: asks every second for the number of changes, and for the part that changes when that is another one.
(() => {
  "use strict";
  const live = document.getElementById("live");
  const pulse = document.getElementById("pulse");
  const PAUSE_MS = 1000;

  // The number of what is on the page. It is asked for before the part is, so that what happens between the two is another number.
  let number = live.dataset.number;

  // As the browser writes it: so a part can be compared with what is on the page, which was written by the server.
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
    // The session is over: the way to the door.
    if (answer.type === "opaqueredirect") {
      location.reload();
      throw new Error("the session is over");
    }
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.text();
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
