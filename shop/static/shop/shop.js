// What the pages cannot do with HTML and htmx alone. Each page works without it.
(() => {
  "use strict";
  if (!window.htmx) return;

  // Times come as UTC; show them as the reader's clock does.
  const styles = {
    time: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
    datetime: { dateStyle: "long", timeStyle: "short" },
  };
  const localise = (root) => {
    for (const time of root.querySelectorAll("time[data-local]")) {
      const at = new Date(time.dateTime);
      const text = new Intl.DateTimeFormat(document.documentElement.lang, styles[time.dataset.local]).format(at);
      if (time.textContent !== text) time.textContent = text;
    }
  };

  // How many pieces are in the cart. A page that is the same for everybody cannot say it: there it is what the last page
  // said that could. A browser that keeps nothing shows no number.
  const KEPT = "pieces in the cart";
  const countCart = () => {
    const badge = document.getElementById("cart-count");
    if (!badge) return;
    const number = badge.firstElementChild;
    try {
      if (badge.hasAttribute("data-remembered")) number.textContent = localStorage.getItem(KEPT) ?? "";
      else localStorage.setItem(KEPT, number.textContent);
    } catch {
      return;
    }
    badge.classList.toggle("hidden", !Number(number.textContent));
  };

  // A second click while the first is under way. Only a courtesy: the server makes one order of any number of clicks.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("form[data-once]")) return;
    if (form.getAttribute("aria-busy") === "true") event.preventDefault();
    form.setAttribute("aria-busy", "true");
    // Should nothing come of it, because the shopper pressed Stop or the line broke.
    setTimeout(() => form.removeAttribute("aria-busy"), 10_000);
  });
  window.addEventListener("pageshow", () => {
    countCart();
    for (const form of document.querySelectorAll("form[data-once]")) form.removeAttribute("aria-busy");
  });

  // A browser opens six connections to a site, so a hidden tab gives its stream back and asks no more. On its return
  // the page listens again, and the stream begins with "changed". A page has one stream at most, and a hidden one none,
  // also when the extension tries again after an error.
  let stream = null;
  window.htmx.createEventSource = (address) => {
    stream?.close();
    stream = new EventSource(address);
    if (document.hidden) stream.close();
    return stream;
  };
  let ear = null;
  document.addEventListener("visibilitychange", () => {
    const live = document.getElementById("live");
    if (document.hidden) {
      if (!live?.hasAttribute("sse-connect")) return;
      ear = live.cloneNode(false);
      const silent = document.createElement("div");
      silent.id = "live";
      live.replaceWith(silent);
      stream?.close();
    } else if (ear && live) {
      live.replaceWith(ear);
      window.htmx.process(ear);
      ear = null;
    }
  });

  document.addEventListener("htmx:afterSettle", (event) => {
    localise(document);
    countCart();
    // What had the focus was removed with its line of the cart: go on reading from the top of the cart.
    if (event.target.id === "cart" && document.activeElement === document.body) {
      document.querySelector("#cart h1").focus();
    }
  });

  // A change that did not arrive must not look as if it had. What asks again by itself says nothing.
  const asksAgain = (element) => element.id === "live" || element.hasAttribute("data-asks-again");
  const trouble = (event) => {
    if (asksAgain(event.target)) return;
    const said = document.createElement("span");
    said.className = "notice notice-error";
    said.textContent =
      event.detail.xhr?.status === 503
        ? "The shop has to catch its breath. Your cart is safe: please try again in a few seconds."
        : "That did not reach us. Please try again in a moment.";
    document.getElementById("trouble").replaceChildren(said);
  };
  document.addEventListener("htmx:responseError", trouble);
  document.addEventListener("htmx:sendError", trouble);
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.successful && !asksAgain(event.target)) document.getElementById("trouble").replaceChildren();
  });

  localise(document);
})();
