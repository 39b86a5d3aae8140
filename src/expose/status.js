// Keeps a page for people up to date and filters while one types. The server makes all of it: this fetches the page anew
// and puts its live parts (data-live) into the places of the old ones. Without it the page is complete, and still.
"use strict";
(() => {
  const EVERY_MS = 5000, GIVE_UP_MS = 10000, TYPING_MS = 250;
  const filter = document.getElementById("filter");
  let timer = 0, asked = null, paused = false;

  const trouble = document.createElement("p");
  trouble.id = "trouble";
  trouble.setAttribute("role", "status");
  document.getElementById("main").prepend(trouble);

  function say(text) {
    if (trouble.textContent !== text)
      trouble.textContent = text;
  }

  // Where the focus is, so that it can be found among new elements.
  function nameOf(element) {
    if (element.id)
      return "#" + CSS.escape(element.id);
    if (element.tagName === "SUMMARY" && element.parentElement.id)
      return "#" + CSS.escape(element.parentElement.id) + ">summary";
    return element.hasAttribute("href") ? `${element.tagName}[href="${CSS.escape(element.getAttribute("href"))}"]` : null;
  }

  function isSelected(part) {
    const selection = document.getSelection();
    return selection && !selection.isCollapsed && part.contains(selection.anchorNode);
  }

  function replace(old, fresh) {
    if (isSelected(old))
      return;
    for (const details of old.querySelectorAll("details[id][open]"))
      fresh.querySelector("#" + CSS.escape(details.id))?.setAttribute("open", "");
    if (old.innerHTML === fresh.innerHTML)
      return;
    const active = document.activeElement;
    const focused = active && active !== old && old.contains(active) ? nameOf(active) : null;
    const before = focused ? [...old.querySelectorAll(focused)].indexOf(active) : -1;
    old.replaceChildren(...fresh.childNodes);
    addPause(old);
    if (focused)
      old.querySelectorAll(focused)[Math.max(before, 0)]?.focus({preventScroll: true});
  }

  function show(text) {
    const fresh = new DOMParser().parseFromString(text, "text/html");
    if (!fresh.querySelector("[data-live]"))
      throw new Error("no page of ours");
    for (const old of document.querySelectorAll("[data-live]")) {
      const part = fresh.getElementById(old.id);
      if (part) {
        if (old.querySelector("#pause"))
          addPause(part); // the same on both sides
        replace(old, part);
      }
    }
    document.title = fresh.title;
  }

  async function refresh() {
    clearTimeout(timer);
    asked?.abort();
    const mine = asked = new AbortController();
    const late = setTimeout(() => mine.abort(), GIVE_UP_MS);
    try {
      const answer = await fetch(location.href, {cache: "no-store", signal: mine.signal});
      const text = await answer.text();
      if (mine !== asked)
        return;
      show(text);
      say("");
    } catch {
      if (mine !== asked)
        return; // a newer one is under way
      say("The exporter does not answer: what is below is as it was then.");
    } finally {
      clearTimeout(late);
      if (mine === asked) {
        asked = null;
        plan();
      }
    }
  }

  function plan() {
    clearTimeout(timer);
    if (!paused && !document.hidden)
      timer = setTimeout(refresh, EVERY_MS);
  }

  function addPause(part) {
    const place = part.querySelector(".asof");
    if (!place || place.querySelector("#pause"))
      return;
    const button = place.ownerDocument.createElement("button");
    button.id = "pause";
    button.type = "button";
    button.textContent = "Pause";
    button.setAttribute("aria-pressed", String(paused));
    place.append(" ", button);
  }

  document.addEventListener("click", event => {
    const button = event.target.closest("#pause");
    if (!button)
      return;
    paused = !paused;
    button.setAttribute("aria-pressed", String(paused));
    if (paused) {
      clearTimeout(timer);
      asked?.abort();
    } else {
      refresh();
    }
  });

  document.addEventListener("visibilitychange", () => {
    if (document.hidden)
      clearTimeout(timer);
    else if (!paused)
      refresh();
  });

  function applyFilter() {
    const wanted = new URLSearchParams();
    for (const [name, value] of new FormData(filter))
      if (value !== "")
        wanted.append(name, value);
    const query = wanted.toString();
    history.replaceState(null, "", location.pathname + (query ? "?" + query : ""));
    refresh();
  }

  if (filter) {
    let typing = 0;
    document.addEventListener("input", event => {
      if (event.target.form !== filter)
        return;
      clearTimeout(typing);
      typing = setTimeout(applyFilter, TYPING_MS);
    });
    filter.addEventListener("submit", event => {
      event.preventDefault();
      clearTimeout(typing);
      applyFilter();
    });
  }

  document.querySelectorAll("[data-live]").forEach(addPause);
  plan();
})();
