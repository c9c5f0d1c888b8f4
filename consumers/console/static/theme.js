// Light or dark: what the system prefers, unless this browser was told otherwise. Runs before the page is drawn.
"use strict";
(() => {
  const KEY = "findstream-theme";
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");

  const stored = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // storage may be forbidden; the toggle then lasts as long as the page
    }
  };
  const store = (theme) => {
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      /* see above */
    }
  };
  const present = () => root.dataset.theme || (dark.matches ? "dark" : "light");

  const wanted = stored();
  if (wanted === "light" || wanted === "dark") root.dataset.theme = wanted;

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.querySelector("[data-theme-toggle]");
    const say = () => {
      const other = present() === "dark" ? "light" : "dark";
      button.querySelector("[data-theme-word]").textContent = other === "dark" ? "Dark" : "Light";
      button.setAttribute("aria-label", `Switch to the ${other} theme`);
    };
    button.hidden = false;
    say();
    dark.addEventListener("change", say);
    button.addEventListener("click", () => {
      root.dataset.theme = present() === "dark" ? "light" : "dark";
      store(root.dataset.theme);
      say();
    });
  });
})();
