// The player: hls.js behind controls of our own. Without this file the browser's player shows the MP4.
//
// Nothing but the poster is loaded before somebody wants to watch. Where there is Media Source Extensions hls.js plays, so
// that people can choose a quality; that some browsers claim to play HLS by themselves is not relied on there (Chrome's
// "maybe" stalls on some streams). Where there is none, the browser plays HLS itself if it can, and the MP4 if it cannot.
(() => {
  "use strict";
  const STEP = 5; // seconds that an arrow key moves
  const QUIET = 3000; // milliseconds after which the controls leave a full screen
  const CODECS = 'video/mp4; codecs="avc1.64001F,mp4a.40.2"';
  const NATIVE = "application/vnd.apple.mpegurl";
  const TROUBLE = "The video does not come through at the moment. Please press play to try again.";

  const clock = (seconds) => {
    const whole = Math.max(0, Math.floor(seconds || 0));
    const two = (number) => String(number).padStart(2, "0");
    const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
    return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
  };
  const within = (value, low, high) => Math.min(Math.max(value, low), high);

  const libraries = new Map();
  const load = (address) => {
    if (!libraries.has(address)) {
      const loading = new Promise((done, failed) => {
        const script = document.createElement("script");
        script.src = address;
        script.onload = () => done(window.Hls);
        script.onerror = () => {
          libraries.delete(address);
          script.remove();
          failed(new Error(`${address} did not load`));
        };
        document.head.append(script);
      });
      libraries.set(address, loading);
    }
    return libraries.get(address);
  };

  class Player {
    constructor(root) {
      this.root = root;
      this.video = root.querySelector("video");
      for (const part of ["bar", "seek", "volume", "now", "captions", "quality", "said", "trouble"]) {
        this[part] = root.querySelector(`[data-${part}]`);
      }
      this.begin = root.querySelector(".player-begin");
      this.length = Number(root.dataset.seconds);
      this.mp4 = this.video.src;
      this.from = 0; // where to begin, when somebody chose it before anything was loaded
      new window.VideoPreview(root, () => this.length, clock);
      this.listen();
      this.dress();
    }

    // Our controls in the place of the browser's.
    dress() {
      this.video.controls = false;
      this.video.removeAttribute("src");
      this.video.load();
      this.bar.hidden = this.begin.hidden = false;
      if (!this.root.requestFullscreen && !this.video.webkitEnterFullscreen) {
        this.root.querySelector('[data-does="fullscreen"]').hidden = true;
      }
      this.show();
    }

    listen() {
      const { root, video } = this;
      const acts = { toggle: () => this.toggle(), mute: () => this.mute(), fullscreen: () => this.fullscreen() };
      for (const button of root.querySelectorAll("[data-does]")) {
        button.addEventListener("click", acts[button.dataset.does]);
      }
      video.addEventListener("click", () => this.toggle());
      root.addEventListener("keydown", (event) => this.key(event));
      // Who comes near will want to watch: the library may come meanwhile.
      for (const near of ["pointerenter", "focusin"]) {
        root.addEventListener(near, () => this.streams() && load(root.dataset.library).catch(() => {}), { once: true });
      }
      video.addEventListener("play", () => (this.wanted = true));
      video.addEventListener("pause", () => (this.wanted = false));
      for (const change of ["play", "pause", "volumechange", "ended", "durationchange"]) {
        video.addEventListener(change, () => this.show());
      }
      for (const moved of ["timeupdate", "seeking", "progress"]) video.addEventListener(moved, () => this.move());
      for (const wait of ["waiting", "seeking"]) video.addEventListener(wait, () => this.waiting(true));
      for (const go of ["playing", "seeked", "canplay", "error"]) video.addEventListener(go, () => this.waiting(false));
      video.addEventListener("loadedmetadata", () => this.catchUp());
      video.addEventListener("error", () => this.opening && this.fail());
      this.seek.addEventListener("input", () => this.go(Number(this.seek.value)));
      this.volume.addEventListener("input", () => {
        video.volume = Number(this.volume.value);
        video.muted = video.volume === 0;
      });
      this.captions.querySelector("select").addEventListener("change", (event) => this.caption(event.target.value));
      this.quality.querySelector("select").addEventListener("change", (event) => this.choose(Number(event.target.value)));
      video.textTracks.addEventListener("change", () => this.showCaptions());
      root.addEventListener("pointermove", () => this.stir());
      document.addEventListener("fullscreenchange", () => this.show());
    }

    // What is played

    streams() {
      return "MediaSource" in window && window.MediaSource.isTypeSupported(CODECS);
    }

    // Gives the video its source; once, however often it is asked.
    open() {
      this.opening ??= (async () => {
        this.trouble.textContent = "";
        if (this.streams()) {
          try {
            this.stream(await load(this.root.dataset.library));
            return;
          } catch (error) {
            console.warn(error); // the MP4 needs no library
          }
        } else if (this.video.canPlayType(NATIVE)) {
          this.video.src = this.root.dataset.hls;
          return;
        }
        this.video.src = this.mp4;
      })();
      return this.opening;
    }

    stream(Hls) {
      const hls = new Hls({
        enableWorker: false, // nothing needs converting, and a worker would need a way through our policy
        capLevelToPlayerSize: true,
        backBufferLength: 60,
        // Captions are ours: hls.js would empty the tracks that the page brings along.
        timelineController: undefined,
        subtitleTrackController: undefined,
        subtitleStreamController: undefined,
      });
      this.hls = hls;
      let mended = false;
      hls.on(Hls.Events.MANIFEST_PARSED, () => this.offer(hls.levels));
      hls.on(Hls.Events.LEVEL_SWITCHED, () => this.showQuality());
      hls.on(Hls.Events.ERROR, (_, told) => {
        if (!told.fatal) return;
        if (told.type === Hls.ErrorTypes.MEDIA_ERROR && !mended) {
          mended = true;
          const wanted = this.wanted;
          hls.recoverMediaError();
          if (wanted) this.play();
        } else {
          this.fallBack();
        }
      });
      hls.loadSource(this.root.dataset.hls);
      hls.attachMedia(this.video);
    }

    // When streaming fails the MP4 goes on from the same place.
    fallBack() {
      const wanted = this.wanted;
      this.from = this.video.currentTime || this.from;
      this.close();
      this.opening = Promise.resolve();
      this.video.src = this.mp4;
      if (wanted) this.play();
    }

    // Nothing plays any more: the files may be gone, the line may be down. The next press begins anew.
    fail() {
      if (this.video.currentSrc !== this.mp4 && !this.hls) {
        this.fallBack();
        return;
      }
      if (this.hls) return; // it says by itself when it gives up
      this.from = this.video.currentTime || this.from;
      this.wanted = false;
      this.opening = undefined;
      this.video.removeAttribute("src");
      this.video.load();
      this.trouble.textContent = TROUBLE;
      this.show();
    }

    close() {
      this.hls?.destroy();
      this.hls = undefined;
      this.quality.hidden = true;
    }

    // What people do

    async play() {
      this.wanted = true;
      this.begin.hidden = true;
      this.waiting(this.video.readyState < 3);
      await this.open();
      if (!this.wanted) return; // somebody thought better of it meanwhile
      try {
        await this.video.play();
      } catch (error) {
        if (error.name === "AbortError") return; // another source or a pause came in between
        this.wanted = false;
        this.waiting(false);
        if (error.name === "NotAllowedError") this.begin.hidden = false; // the press was too long ago for this browser
      }
    }

    toggle() {
      if (this.video.paused && !this.wanted) {
        this.play();
      } else {
        this.wanted = false;
        this.waiting(false);
        this.video.pause();
        this.show();
      }
    }

    go(seconds) {
      const to = within(seconds, 0, this.length);
      if (this.video.readyState === 0) {
        this.from = to;
        this.open();
        this.move();
      } else {
        this.video.currentTime = to;
      }
    }

    catchUp() {
      if (this.from) this.video.currentTime = this.from;
      this.from = 0;
    }

    mute() {
      this.video.muted = !this.video.muted;
      if (!this.video.muted && this.video.volume === 0) this.video.volume = 0.5;
      this.say(this.video.muted ? "Muted" : "Sound on");
    }

    louder(by) {
      this.video.volume = within(this.video.volume + by, 0, 1);
      this.video.muted = this.video.volume === 0;
      this.say(`Volume ${Math.round(this.video.volume * 100)}%`);
    }

    fullscreen() {
      if (document.fullscreenElement === this.root) document.exitFullscreen();
      else if (this.root.requestFullscreen) this.root.requestFullscreen().catch(() => {});
      else this.video.webkitEnterFullscreen?.();
    }

    words() {
      return [...this.video.textTracks].filter((track) => track.kind === "captions");
    }

    caption(language) {
      for (const track of this.words()) track.mode = track.language === language ? "showing" : "disabled";
      this.language = language || this.language;
      this.showCaptions();
    }

    // The "c" key: off, or the ones of last time, or those in the reader's language, or the first.
    toggleCaptions() {
      const all = this.words();
      if (!all.length) return;
      const shown = all.some((track) => track.mode === "showing");
      const own = all.find((track) => navigator.language.startsWith(track.language)) ?? all[0];
      this.caption(shown ? "" : (this.language ?? own.language));
      this.say(shown ? "Captions off" : "Captions on");
    }

    choose(level) {
      // At once: with `nextLevel` hls.js keeps what is loaded of a video of one or two segments, and nothing changes.
      this.hls.currentLevel = level;
      this.showQuality();
    }

    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select")) return;
      const key = event.key.toLowerCase();
      const range = event.target === this.volume;
      const at = this.video.readyState ? this.video.currentTime : this.from;
      const does = {
        k: () => this.toggle(),
        " ": event.target.matches("button") ? null : () => this.toggle(),
        arrowleft: range ? null : () => this.go(at - STEP),
        arrowright: range ? null : () => this.go(at + STEP),
        arrowup: range ? null : event.target === this.seek ? () => this.go(at + STEP) : () => this.louder(0.1),
        arrowdown: range ? null : event.target === this.seek ? () => this.go(at - STEP) : () => this.louder(-0.1),
        m: () => this.mute(),
        f: () => this.fullscreen(),
        c: () => this.toggleCaptions(),
      }[key];
      if (!does) return;
      event.preventDefault();
      this.stir();
      does();
    }

    // What is shown

    show() {
      const { root, video } = this;
      root.classList.toggle("is-playing", !video.paused);
      root.classList.toggle("is-muted", video.muted);
      root.classList.toggle("is-full", document.fullscreenElement === root);
      const label = (act, text) => {
        for (const button of root.querySelectorAll(`.player-button[data-does="${act}"]`)) button.ariaLabel = text;
      };
      label("toggle", video.paused ? "Play" : "Pause");
      label("mute", video.muted ? "Unmute" : "Mute");
      label("fullscreen", document.fullscreenElement === root ? "Leave full screen" : "Full screen");
      this.volume.value = video.muted ? 0 : video.volume;
      this.volume.style.setProperty("--played", `${this.volume.value * 100}%`);
      if (Number.isFinite(video.duration) && video.duration) {
        this.length = video.duration;
        this.seek.max = video.duration;
      }
      this.move();
      this.stir();
    }

    move() {
      const { video, seek, length } = this;
      const at = video.readyState ? video.currentTime : this.from;
      seek.value = at;
      seek.ariaValueText = `${clock(at)} of ${clock(length)}`;
      this.now.textContent = clock(at);
      let loaded = 0;
      for (let i = 0; i < video.buffered.length; i++) {
        if (video.buffered.start(i) <= at + 0.1) loaded = Math.max(loaded, video.buffered.end(i));
      }
      seek.style.setProperty("--played", `${(at / length) * 100 || 0}%`);
      seek.style.setProperty("--loaded", `${(loaded / length) * 100 || 0}%`);
    }

    waiting(is) {
      this.root.classList.toggle("is-waiting", is && Boolean(this.wanted));
    }

    // In a full screen the controls leave when nobody stirs, and never while something of them has the focus.
    stir() {
      this.root.classList.remove("is-idle");
      clearTimeout(this.resting);
      this.resting = setTimeout(() => {
        const busy = this.bar.contains(document.activeElement) && document.activeElement.matches(":focus-visible");
        this.root.classList.toggle("is-idle", !this.video.paused && !busy);
      }, QUIET);
    }

    say(text) {
      this.said.textContent = text;
    }

    offer(levels) {
      const select = this.quality.querySelector("select");
      select.replaceChildren(select.firstElementChild);
      // A size has its name from its shorter side, upright videos too.
      this.names = levels.map((level) => `${Math.min(level.width, level.height)}p`);
      for (const index of this.names.map((_, index) => index).reverse()) {
        const option = document.createElement("option");
        option.value = index;
        option.textContent = this.names[index];
        select.append(option);
      }
      this.quality.hidden = levels.length < 2;
    }

    showQuality() {
      const { hls, names } = this;
      const select = this.quality.querySelector("select");
      const now = names[hls.currentLevel];
      const chosen = hls.manualLevel; // -1 is by itself
      select.firstElementChild.textContent = chosen < 0 && now ? `Auto (${now})` : "Auto";
      select.value = String(chosen);
      this.quality.querySelector("[data-chosen]").textContent = chosen < 0 ? "Auto" : names[chosen];
    }

    showCaptions() {
      const shown = this.words().find((track) => track.mode === "showing");
      this.root.classList.toggle("is-captioned", Boolean(shown));
      this.captions.querySelector("select").value = shown?.language ?? "";
      this.captions.querySelector("[data-chosen]").textContent = shown?.language.split("-")[0].toUpperCase() ?? "Off";
    }
  }

  const begin = () => {
    for (const root of document.querySelectorAll("[data-player]:not([data-ready])")) {
      root.dataset.ready = "";
      root.player = new Player(root);
    }
  };
  begin();
  document.addEventListener("htmx:afterSettle", begin); // a player that came in later

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-watch]")) document.querySelector("[data-player]")?.player.play();
  });
})();
