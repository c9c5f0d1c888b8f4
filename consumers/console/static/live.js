// The overview, live. New findings come by server-sent events, the figures by fetching their part of the page anew.
//
// Nothing moves under a reader: while the list has the focus, is hovered or scrolled away, or while paused, news are held back
// behind a button that counts them. Everything is put in as text, never as markup.
"use strict";
(() => {
  const MOST_ROWS = 30;
  const MOST_HELD = 500;
  const STATE_MS = 5000;
  const SAY_MS = 10000;

  const home = document.querySelector("[data-live]");
  const list = document.querySelector("[data-live-list]");
  const empty = document.querySelector("[data-live-empty]");
  const said = document.querySelector("[data-live-said]");
  const show = document.querySelector("[data-live-show]");
  const pause = document.querySelector("[data-live-pause]");
  const status = document.querySelector("[data-live-status]");
  const word = document.querySelector("[data-live-word]");
  const row = document.querySelector("[data-live-row]").content.firstElementChild;

  let held = [];
  let lost = 0;
  let unsaid = 0;
  let paused = false;
  let drawing = 0;

  const tell = (state, text) => {
    if (word.textContent !== text) word.textContent = text;
    status.dataset.state = state;
  };

  const rowOf = (event) => {
    const item = row.cloneNode(true);
    item.className = `finding sev-${event.severity} new`;
    item.dataset.id = event.id;
    const severity = item.querySelector(".severity");
    severity.className = `severity sev-${event.severity}`;
    severity.lastElementChild.textContent = event.severity_name;
    const link = item.querySelector("a");
    link.textContent = event.summary || event.type;
    link.href = `/events/${encodeURIComponent(event.id)}`;
    const meta = item.querySelector(".meta");
    meta.replaceChildren(...[event.source, event.account, event.region].filter(Boolean).map((text) => {
      const span = document.createElement("span");
      span.textContent = text;
      return span;
    }));
    const time = item.querySelector("time");
    const iso = new Date(event.time * 1000).toISOString();
    time.dateTime = iso;
    time.firstElementChild.textContent = iso.slice(11, 19);
    time.lastElementChild.textContent = iso.slice(0, 10);
    return item;
  };

  const reading = () =>
    paused || list.matches(":hover") || list.contains(document.activeElement) || list.getBoundingClientRect().top < 0;

  const draw = () => {
    drawing = 0;
    if (!held.length) return;
    const fresh = held.slice(-MOST_ROWS);
    held = [];
    lost = 0;
    const known = new Set([...list.children].map((item) => item.dataset.id));
    list.prepend(...fresh.filter((event) => !known.has(event.id)).reverse().map(rowOf));
    while (list.children.length > MOST_ROWS) list.lastElementChild.remove();
    empty.hidden = true;
    show.hidden = true;
  };

  const offer = () => {
    const count = held.length + lost;
    if (!count) {
      show.hidden = true;
    } else if (reading()) {
      show.textContent = `Show ${count.toLocaleString("en")} new`;
      show.hidden = false;
    } else if (!drawing) {
      drawing = requestAnimationFrame(draw);
    }
  };

  const take = (event) => {
    held.push(event);
    if (held.length > MOST_HELD) {
      held.shift();
      lost += 1;
    }
    unsaid += 1;
    offer();
  };

  show.addEventListener("click", () => {
    draw();
    const first = list.querySelector("a");
    if (first) first.focus({ preventScroll: false });
  });
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "Go on" : "Pause";
    tell(paused ? "paused" : "live", paused ? "Paused" : "Live");
    offer();
  });
  list.addEventListener("pointerleave", offer);
  list.addEventListener("focusout", () => setTimeout(offer));
  addEventListener("scroll", offer, { passive: true });

  const feed = new EventSource(home.dataset.live);
  feed.addEventListener("open", () => tell(paused ? "paused" : "live", paused ? "Paused" : "Live"));
  feed.addEventListener("error", () =>
    tell("broken", feed.readyState === EventSource.CLOSED ? "Not live: reload the page" : "Reconnecting"));
  feed.addEventListener("message", (message) => take(JSON.parse(message.data)));
  addEventListener("pagehide", () => feed.close());
  pause.hidden = false;

  setInterval(() => {
    if (unsaid && !paused) said.textContent = `${unsaid} new finding${unsaid === 1 ? "" : "s"}`;
    unsaid = 0;
  }, SAY_MS);

  // The figures: each part is replaced only if it changed and nobody is in it.
  const refresh = async () => {
    if (document.hidden || paused) return;
    let answer;
    try {
      answer = await fetch(home.dataset.liveState, { headers: { Accept: "text/html" } });
    } catch {
      return; // the feed tells that the server is gone
    }
    if (answer.redirected) location.reload(); // signed out: to the page for signing in
    if (!answer.ok || answer.redirected) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of fresh.querySelectorAll("[data-part]")) {
      const old = document.querySelector(`main [data-part="${part.dataset.part}"]`);
      if (!old || old.contains(document.activeElement) || String(getSelection()) && old.contains(getSelection().anchorNode)) continue;
      for (const opened of old.querySelectorAll("details[open]")) {
        const same = part.querySelector(`details[data-keep="${opened.dataset.keep}"]`);
        if (same) same.open = true;
      }
      if (old.outerHTML !== part.outerHTML) old.replaceWith(document.importNode(part, true));
    }
  };
  setInterval(refresh, STATE_MS);
})();
