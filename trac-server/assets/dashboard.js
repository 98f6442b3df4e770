// Makes pages more convenient. Every page works without it.
(() => {
  "use strict";

  // Times in the reader's zone, the exact one in UTC on hover.
  const local = (root) => {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const moment = new Date(time.dateTime);
      if (Number.isNaN(moment.getTime()) || time.title) continue;
      time.title = time.textContent;
      time.textContent = moment.toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
    }
  };
  local(document);

  // Text that is copied: secrets, addresses and lines for the merchant's pages.
  const copied = document.querySelectorAll(".copy code, .payload pre, .facts .address");
  for (const source of navigator.clipboard ? copied : []) {
    const text = source.textContent.trim();
    const button = document.createElement("button");
    button.type = "button";
    button.className = "second copy-button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
    source.after(button);
  }

  // The menu is open on wide screens only.
  const menu = document.querySelector(".side details");
  const narrow = matchMedia("(max-width: 820px)");
  const fold = () => { if (menu) menu.open = !narrow.matches; };
  fold();
  menu?.classList.add("ready");
  narrow.addEventListener("change", fold);

  // "/" or Ctrl+K leads to the search.
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select");
    const wanted = (event.key === "/" && !typing) || (event.key === "k" && (event.ctrlKey || event.metaKey));
    const find = document.getElementById("find");
    if (wanted && find) {
      event.preventDefault();
      find.focus();
    }
    const account = document.querySelector(".account[open]");
    if (event.key === "Escape" && account) account.open = false;
  });

  // A form is sent once.
  document.addEventListener("submit", (event) => {
    const button = event.target.querySelector("button[type=submit]:not([name])");
    if (button) setTimeout(() => { button.disabled = true; }, 0);
  });
  addEventListener("pageshow", () => {
    for (const button of document.querySelectorAll("button:disabled")) button.disabled = false;
  });

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

  // Parts of a page that tick themselves, such as the steps of the set-up: the page is requested every two seconds. A
  // part in which the reader types stays as it is.
  const TICK_MS = 2000;
  const received = new Map();
  const isInUse = (part) => part.contains(document.activeElement)
    || [...part.querySelectorAll("input, textarea")].some((input) => input.value !== input.defaultValue);
  const tick = async () => {
    if (document.visibilityState === "visible") {
      try {
        const page = new DOMParser().parseFromString((await get(location.href)).text, "text/html");
        for (const part of document.querySelectorAll("[data-part]")) {
          const next = page.getElementById(part.id);
          if (!next || next.outerHTML === received.get(part.id) || isInUse(part)) continue;
          received.set(part.id, next.outerHTML);
          local(next);
          part.replaceWith(next);
        }
      } catch {
        // The next request may succeed.
      }
    }
    setTimeout(tick, TICK_MS);
  };
  if (document.querySelector("[data-part]")) setTimeout(tick, TICK_MS);

  // A part of the page that refreshes itself: the number of `/dashboard/changes` is requested every second, and the
  // part when the number has changed.
  const live = document.getElementById("live");
  const pulse = document.getElementById("pulse");
  if (!live || !pulse) return;
  const PAUSE_MS = 1000;

  // The number of the part that is shown. The part may be a second old, and brings its own number.
  let number = live.dataset.number;

  // The HTML as this browser serializes it, so that it can be compared with the part that is shown.
  const normalized = (html) => {
    const part = document.createElement("main");
    part.innerHTML = html;
    local(part);
    return part.innerHTML.trim();
  };
  let shown = live.innerHTML.trim();

  const showState = (state, text) => {
    pulse.dataset.state = state;
    pulse.querySelector("em").textContent = text;
  };
  const fresh = pulse.querySelector("em").textContent;

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
        showState("live", fresh);
      } catch {
        showState("lost", "connection lost, trying again");
      }
    }
    setTimeout(poll, PAUSE_MS);
  };

  poll();
})();
