// On the page that says that the shop is away: looks whether it is back, and then loads what was asked for. A page that
// reloads itself every few seconds would take whoever has it read aloud back to its beginning each time. Without this
// script there is the button.
(() => {
  "use strict";
  const soon = () => 3000 + 4000 * Math.random(); // milliseconds; not everybody at the same moment
  const look = async () => {
    try {
      const answer = await fetch("/healthz", { cache: "no-store" });
      if (answer.ok) {
        location.reload();
        return;
      }
    } catch {
      // Nobody answers yet.
    }
    setTimeout(look, soon());
  };
  setTimeout(look, soon());
})();
