// Sends a video from the desk (tus): piece by piece, to be paused, and gone on with after a broken line, a closed laptop
// or a reload, when the same file is chosen again. What has arrived is the server's to say.
(() => {
  "use strict";
  const PIECE = 16 * 1024 * 1024; // what the proxy takes at once
  const PATIENCE = [1000, 2000, 4000, 8000, 15000, 30000, 60000]; // milliseconds between tries
  const SLOW_DOWN = 60; // seconds; whoever is told to come back later than that waits for a person

  const size = (bytes) => {
    const units = ["bytes", "KB", "MB", "GB"];
    const power = bytes ? Math.min(units.length - 1, Math.floor(Math.log(bytes) / Math.log(1024))) : 0;
    return `${(bytes / 1024 ** power).toFixed(power > 1 ? 1 : 0)} ${units[power]}`;
  };
  const roughly = (seconds) => {
    if (seconds < 90) return `about ${Math.max(5, Math.round(seconds / 5) * 5)} s left`;
    if (seconds < 5400) return `about ${Math.round(seconds / 60)} min left`;
    return `about ${Math.round(seconds / 3600)} h left`;
  };
  const cookie = (name) => document.cookie.split("; ").find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";

  class SignedOut extends Error {}

  // What the server said, or what can be said without it.
  const reason = (error) => {
    if (error.causingError instanceof SignedOut) return "You are signed out. Sign in again in another tab, then press Resume: nothing is lost.";
    const answer = error.originalResponse;
    if (!answer) return "The line is broken. Nothing is lost: press Resume when you are online again.";
    try {
      const said = JSON.parse(answer.getBody());
      return [said.detail, ...Object.values(said.errors ?? {}).flat()].join(" ");
    } catch {
      return `The shop answered ${answer.getStatus()}. Nothing is lost: press Resume to try once more.`;
    }
  };

  const setUp = (card) => {
    const part = (name) => card.querySelector(`[data-${name}]`);
    const [drop, sending, problem, input] = [part("drop"), part("sending"), part("problem"), card.querySelector("input[type=file]")];
    const { endpoint, sku, accepted } = card.dataset;
    let upload = null;
    let latest = []; // [time, bytes] of the last seconds, for the speed

    const show = (element, visible) => { element.hidden = !visible; };
    const token = () => upload?.url?.split("/").filter(Boolean).pop();
    const look = () => window.htmx?.trigger("#videos", "look");
    // The list below knows this upload too; here it is told of in more detail.
    const hideTwin = () => {
      for (const row of document.querySelectorAll("[data-coming]")) row.hidden = row.dataset.coming === token();
    };
    const complain = (text) => { problem.textContent = text; show(problem, Boolean(text)); };

    const progress = (sent, total) => {
      const now = performance.now();
      latest = [...latest.filter(([at]) => now - at < 8000), [now, sent]];
      const [[then, before]] = latest;
      const speed = now - then > 1000 ? ((sent - before) / (now - then)) * 1000 : 0;
      const percent = Math.floor((100 * sent) / total);
      part("percent").textContent = `${percent} %`;
      part("bar").setAttribute("aria-valuenow", percent);
      part("bar").firstElementChild.style.transform = `scaleX(${sent / total})`;
      part("words").textContent = `${size(sent)} of ${size(total)}` + (speed > 0 ? `, ${size(speed)}/s, ${roughly((total - sent) / speed)}` : "");
    };
    const running = (yes) => {
      show(part("pause"), yes);
      show(part("resume"), !yes);
      part("bar").classList.toggle("vc-still", !yes);
      latest = [];
    };
    const idle = () => {
      upload = null;
      input.value = "";
      show(sending, false);
      show(drop, true);
      look();
    };
    const pause = (words) => {
      upload.abort();
      running(false);
      part("words").textContent = words;
    };
    const resume = () => {
      complain("");
      running(true);
      upload.start();
    };

    const begin = async (file) => {
      complain("");
      const extension = `.${file.name.split(".").pop().toLowerCase()}`;
      if (!card.dataset.extensions.split(",").includes(extension)) return complain(`“${file.name}” is no video. Choose an ${accepted} file.`);
      if (file.size > Number(card.dataset.max)) return complain(`“${file.name}” has ${size(file.size)}, and ${size(Number(card.dataset.max))} is the most that is taken.`);
      upload = new window.tus.Upload(file, {
        endpoint,
        chunkSize: PIECE,
        retryDelays: PATIENCE,
        metadata: { sku, filename: file.name, ...(file.type && { filetype: file.type }) },
        // The same file may be meant for two products.
        fingerprint: async () => ["stampede", sku, file.name, file.size, file.lastModified].join("-"),
        removeFingerprintOnSuccess: true,
        onBeforeRequest: (request) => request.setHeader("X-CSRFToken", cookie("csrftoken")),
        // Without this the client would forget where it was, and begin anew.
        onAfterResponse: (request, answer) => {
          if (request.getMethod() === "HEAD" && [401, 403].includes(answer.getStatus())) throw new SignedOut();
        },
        onShouldRetry: (error) => {
          if (error.causingError instanceof SignedOut) return false;
          const answer = error.originalResponse;
          const status = answer?.getStatus() ?? 0;
          if (Number(answer?.getHeader("Retry-After") ?? 0) >= SLOW_DOWN) return false;
          return (status < 400 || status >= 500 || status === 409 || status === 423 || status === 460) && status !== 507;
        },
        onUploadUrlAvailable: hideTwin,
        onProgress: progress,
        onSuccess: () => idle(),
        onError: (error) => {
          complain(reason(error));
          const status = error.originalResponse?.getStatus() ?? 0;
          if (!upload.url || [404, 410, 415].includes(status)) return idle(); // nothing is there to go on with
          running(false);
          part("words").textContent = "Stopped.";
        },
      });
      const [before] = await upload.findPreviousUploads();
      if (before) upload.resumeFromPreviousUpload(before);
      part("name").textContent = file.name;
      part("percent").textContent = "";
      part("words").textContent = before ? "Looking how much is there already…" : "Asking for room…";
      show(drop, false);
      show(sending, true);
      running(true);
      upload.start();
    };

    input.addEventListener("change", () => { if (input.files[0]) begin(input.files[0]); });
    for (const kind of ["dragover", "dragleave", "drop"]) {
      drop.addEventListener(kind, (event) => {
        event.preventDefault();
        drop.classList.toggle("vc-over", kind === "dragover");
        if (kind === "drop" && event.dataTransfer.files[0]) begin(event.dataTransfer.files[0]);
      });
    }
    part("pause").addEventListener("click", () => pause("Paused. It goes on where it stopped, also after a reload."));
    part("resume").addEventListener("click", resume);
    part("discard").addEventListener("click", async () => {
      const known = upload.url;
      try {
        await upload.abort(Boolean(known));
      } catch (error) {
        complain(reason(error));
      }
      idle();
    });
    window.addEventListener("online", () => { if (upload && part("pause").hidden && !problem.hidden) resume(); });
    window.addEventListener("beforeunload", (event) => { if (upload && !part("pause").hidden) event.preventDefault(); });
    document.body.addEventListener("htmx:afterSwap", hideTwin);
  };

  // Unfold writes the name of a chosen file into the text field beside it, and falls over where there is none.
  for (const input of document.querySelectorAll("#video input[type=file]")) input.hasChangeListener = true;
  for (const card of document.querySelectorAll("[data-upload]")) setUp(card);
})();
