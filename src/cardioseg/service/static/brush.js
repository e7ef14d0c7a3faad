// A correction in progress: undo and redo, time at work, and saving by itself.

const SAVE_AFTER_MS = 1000;
const TRY_AGAIN_MS = 5000;
const LONGEST_PAUSE_MS = 5000;
const MOST_STEPS = 100;
const NIFTI_HEADER = 352;

/** One stroke: which voxels changed, from what to what. */
function difference(before, after) {
  const places = [];
  for (let i = 0; i < after.length; i++) if (before[i] !== after[i]) places.push(i);
  return { places, from: places.map((i) => before[i]), to: places.map((i) => after[i]) };
}

export const labelsOf = (file) => new Uint8Array(file.slice(NIFTI_HEADER));

export class Correction {
  /**
   * @param file the labels of one frame as the server gave them, NIfTI with one byte a voxel
   * @param save called with the file to save and the seconds at work since the last time
   * @param told called when undo or redo become possible or impossible
   */
  constructor(file, save, told) {
    this.header = file.slice(0, NIFTI_HEADER);
    this.labels = labelsOf(file);
    this.save = save;
    this.told = told;
    this.steps = [];
    this.undone = [];
    this.worked = 0;
    this.last = performance.now();
    this.pending = null;
    this.saving = Promise.resolve();
    this.underWay = 0;
    this.dirty = false;
    this.failure = null;
    this.isHeld = false;
    this.isOver = false;
  }

  get isUnsaved() { return this.dirty || this.underWay > 0; }

  /** A sign of life: pauses longer than a few seconds are not counted as work. */
  alive() {
    const now = performance.now();
    this.worked += Math.min(now - this.last, LONGEST_PAUSE_MS);
    this.last = now;
  }

  /** Take no change until it is let go. */
  hold(isHeld) {
    this.isHeld = isHeld;
    this.tell();
  }

  tell() {
    this.told(!this.isHeld && this.steps.length > 0, !this.isHeld && this.undone.length > 0);
  }

  /** Take the labels after a stroke. */
  stroke(labels) {
    if (this.isHeld) return;
    const step = difference(this.labels, labels);
    if (!step.places.length) return;
    this.alive();
    this.labels = labels;
    this.push(step);
    this.changed();
  }

  /** Take what the server has made of the labels and holds already, as a step that can be undone. */
  take(file) {
    const labels = labelsOf(file);
    const step = difference(this.labels, labels);
    if (!step.places.length) return;
    this.labels = labels;
    this.push(step);
    this.tell();
  }

  push(step) {
    this.steps.push(step);
    this.steps.splice(0, this.steps.length - MOST_STEPS);
    this.undone = [];
  }

  undo() { return this.replay(this.steps, this.undone, "from"); }
  redo() { return this.replay(this.undone, this.steps, "to"); }

  replay(source, target, side) {
    if (this.isHeld) return null;
    const step = source.pop();
    if (!step) return null;
    this.alive();
    target.push(step);
    step.places.forEach((place, k) => (this.labels[place] = step[side][k]));
    this.changed();
    return this.labels;
  }

  changed() {
    this.tell();
    this.dirty = true;
    this.saveIn(SAVE_AFTER_MS);
  }

  saveIn(ms) {
    clearTimeout(this.pending);
    if (!this.isOver) this.pending = setTimeout(() => this.flush(), ms);
  }

  /** Save now what is not saved yet, one save after another; what fails is tried again by itself. */
  flush() {
    clearTimeout(this.pending);
    if (!this.dirty) return this.saving;
    this.dirty = false;
    const { worked } = this;
    this.worked = 0;
    this.underWay++;
    const body = new Blob([this.header, this.labels.slice()]);
    const failed = (error) => {
      this.failure = error;
      this.dirty = true;
      this.worked += worked;
      this.saveIn(TRY_AGAIN_MS);
    };
    this.saving = this.saving.then(() => this.save(body, worked / 1000))
      .then(() => { this.failure = null; }, failed).finally(() => { this.underWay--; });
    return this.saving;
  }

  /** Save everything, also what is drawn meanwhile; why that fails is thrown. */
  async finish() {
    do {
      await this.flush();
      if (this.failure) throw this.failure;
    } while (this.dirty);
  }

  /** Save nothing more. */
  drop() {
    this.isOver = true;
    clearTimeout(this.pending);
  }
}
