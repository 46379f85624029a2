// A small picture of the place under the pointer, above the line that one drags along to seek.
//
// The browser itself reads the WebVTT file that names the pictures' places on their sheet: as a track of an element of
// its own, out of the page, because a track that is added to the playing one makes Chromium switch captions on.
(() => {
  "use strict";
  const CUT = /^(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)/;

  window.VideoPreview = class {
    constructor(root, length, clock) {
      this.file = new URL(root.dataset.thumbnails, location.href);
      [this.length, this.clock] = [length, clock]; // seconds in all; how they are written
      this.line = root.querySelector("[data-seek]");
      this.box = root.querySelector("[data-preview]");
      this.picture = this.box.querySelector("[data-picture]");
      this.at = this.box.querySelector("[data-at]");
      this.line.addEventListener("pointermove", (event) => this.look(event.clientX));
      this.line.addEventListener("pointerleave", () => (this.box.hidden = true));
    }

    // Asked for when somebody comes by for the first time.
    load(then) {
      const reader = document.createElement("video");
      reader.crossOrigin = "anonymous"; // it may lie in a bucket
      const track = document.createElement("track");
      track.kind = "metadata";
      track.src = this.file.href;
      track.addEventListener("load", then);
      reader.append(track);
      track.track.mode = "hidden"; // neither shown nor disabled: read
      this.reader = reader;
    }

    look(x) {
      if (!this.reader) this.load(() => this.box.hidden || this.look(this.x));
      this.x = x;
      const line = this.line.getBoundingClientRect();
      const share = Math.min(Math.max((x - line.left) / line.width, 0), 1);
      const seconds = share * this.length();
      this.draw([...(this.reader.textTracks[0].cues ?? [])].find((cue) => seconds < cue.endTime));
      this.at.textContent = this.clock(seconds);
      this.box.hidden = false;
      const half = this.box.offsetWidth / 2;
      this.box.style.left = `${Math.max(half, Math.min(share * line.width, line.width - half))}px`;
    }

    draw(cue) {
      const [, sheet, x, y, width, height] = cue?.text.match(CUT) ?? [];
      this.picture.hidden = !sheet;
      if (!sheet) return;
      Object.assign(this.picture.style, {
        width: `${width}px`,
        height: `${height}px`,
        backgroundImage: `url("${new URL(sheet, this.file).href}")`,
        backgroundPosition: `-${x}px -${y}px`,
      });
    }
  };
})();
