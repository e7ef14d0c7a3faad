// The image, its overlay and the drawing on it: everything that touches NiiVue.

const RED = [0xff, 16], GREEN = [0xff, 8], BLUE = [0xff, 0];

/** NiiVue's table of colours for labels; 0 is clear. */
function colours(structures) {
  const shade = ([mask, shift]) => [0, ...structures.map((s) => (parseInt(s.color.slice(1), 16) >> shift) & mask)];
  return {
    R: shade(RED), G: shade(GREEN), B: shade(BLUE),
    A: [0, ...structures.map(() => 255)],
    I: [0, ...structures.map((s) => s.value)],
    labels: ["", ...structures.map((s) => s.name)],
  };
}

export class Viewer {
  static isHere() {
    return typeof window.niivue?.Niivue === "function";
  }

  async attach(canvas) {
    const { Niivue } = window.niivue;
    this.nv = new Niivue({
      dragAndDropEnabled: false, logLevel: "error", show3Dcrosshair: true, backColor: [0, 0, 0, 1],
      isNearestInterpolation: false, loadingText: "", showLegend: false,
      // As radiologists look at it: from the feet, the patient's left on the right. Three planes, no fourth tile.
      isRadiologicalConvention: true, multiplanarShowRender: 0,
    });
    // Its own hot keys would fight with the page's.
    Object.assign(this.nv.opts, { viewModeHotKey: "", clipPlaneHotKey: "", cycleClipPlaneHotKey: "" });
    await this.nv.attachToCanvas(canvas);
    this.opacity = 0.5;
    this.frame = 0;
    this.drawn = () => {};
    // NiiVue tells nothing of a stroke that leaves the canvas, nor of a single point to be filled.
    for (const name of ["mouseup", "mouseleave", "touchend", "touchcancel"]) canvas.addEventListener(name, () => this.drawn());
  }

  get image() { return this.nv.volumes[0]; }
  get overlay() { return this.nv.volumes[1]; }
  get isDrawing() { return Boolean(this.nv.drawBitmap); }

  clear() {
    this.endDrawing();
    this.removeModel();
    while (this.nv.volumes.length) this.nv.removeVolume(this.nv.volumes[0]);
    this.nv.drawScene();
  }

  /** @param native array axis along which the slices lie, null where it is not known */
  async show(image, labels, structures, native) {
    this.clear();
    this.native = native;
    await this.nv.loadFromArrayBuffer(image, "image.nii.gz");
    await this.nv.loadFromArrayBuffer(labels, "labels.nii.gz");
    this.structures = structures;
    this.overlay.setColormapLabel(colours(structures));
    this.nv.setDrawColormap(colours(structures));
    this.setOpacity(this.opacity);
    this.setFrame(0);
    this.plane(this.wanted ?? "multi");
  }

  get hasModel() { return this.nv.meshes.length > 0; }

  removeModel() {
    while (this.nv.meshes.length) this.nv.removeMesh(this.nv.meshes[0]);
  }

  /** Take surfaces to show: [bytes of an STL file, sRGB hex colour] each. */
  async showModel(parts) {
    this.removeModel();
    for (const [buffer, color] of parts) {
      const rgba255 = [RED, GREEN, BLUE].map(([mask, shift]) => (parseInt(color.slice(1), 16) >> shift) & mask);
      await this.nv.addMeshFromUrl({ url: "model.stl", buffer, rgba255: new Uint8Array([...rgba255, 255]) });
    }
  }

  /** Replace the overlay, the image stays. */
  async showLabels(labels) {
    this.nv.removeVolume(this.overlay);
    await this.nv.loadFromArrayBuffer(labels, "labels.nii.gz");
    this.overlay.setColormapLabel(colours(this.structures));
    this.setOpacity(this.opacity);
    this.setFrame(this.frame);
  }

  setOpacity(opacity) {
    this.opacity = opacity;
    if (!this.overlay) return;
    this.nv.setOpacity(1, this.isDrawing || this.wanted === "model" ? 0 : opacity);
    this.nv.setDrawOpacity(opacity);
    this.nv.updateGLVolume();
  }

  setFrame(frame) {
    this.frame = frame;
    for (const volume of this.nv.volumes) this.nv.setFrame4D(volume.id, frame);
  }

  plane(name) {
    this.wanted = name;
    const nv = this.nv;
    const types = {
      multi: nv.sliceTypeMultiplanar, axial: nv.sliceTypeAxial, coronal: nv.sliceTypeCoronal,
      sagittal: nv.sliceTypeSagittal, render: nv.sliceTypeRender, model: nv.sliceTypeRender,
    };
    types.stack = [types.sagittal, types.coronal, types.axial][this.stackAxis()];
    for (const mesh of nv.meshes) mesh.visible = name === "model";
    nv.setSliceType(types[name]);
    // In 3-D the chest would hide the heart: only the labels are shown, and as solids.
    if (this.image) nv.setOpacity(0, types[name] === nv.sliceTypeRender ? 0 : 1);
    this.setOpacity(this.opacity);
  }

  /** The axis of NiiVue's own order along which the slices lie; by the largest spacing where the job does not say. */
  stackAxis() {
    const own = this.image?.permRAS?.findIndex((axis) => Math.abs(axis) - 1 === this.native) ?? -1;
    if (own >= 0) return own;
    const sides = this.image?.pixDimsRAS?.slice(1, 4) ?? [1, 1, 2];
    return sides.indexOf(Math.max(...sides));
  }

  /** Sides of the slice's plane, in NiiVue's own order. */
  shownAxis() {
    const nv = this.nv;
    return { [nv.sliceTypeSagittal]: 0, [nv.sliceTypeCoronal]: 1, [nv.sliceTypeAxial]: 2 }[nv.opts.sliceType] ?? this.stackAxis();
  }

  move(plane, first, second) {
    const steps = [0, 0, 0];
    const axis = this.shownAxis();
    const others = [0, 1, 2].filter((each) => each !== axis);
    steps[axis] = plane;
    // The patient's left is on the right of the screen.
    steps[others[0]] = others[0] === 0 ? -first : first;
    steps[others[1]] = second;
    this.nv.moveCrosshairInVox(...steps);
  }

  /** Index in the file of every voxel in NiiVue's own order. */
  *fileOrder() {
    const { img2RASstart: start, img2RASstep: step, dimsRAS } = this.image;
    for (let z = 0; z < dimsRAS[3]; z++)
      for (let y = 0; y < dimsRAS[2]; y++) {
        const row = start[0] + start[1] + start[2] + z * step[2] + y * step[1];
        for (let x = 0; x < dimsRAS[1]; x++) yield row + x * step[0];
      }
  }

  /** Start to draw on labels in the order of the file. */
  beginDrawing(labels) {
    this.nv.createEmptyDrawing();
    this.setDrawing(labels);
    this.nv.setDrawingEnabled(true);
    this.nv.opts.maxDrawUndoBitmaps = 2;
    this.setOpacity(this.opacity);
  }

  /** Keep the drawing as it is, whatever the mouse or the keyboard does, until it is let go. */
  holdDrawing(isHeld) {
    this.nv.setDrawingEnabled(!isHeld);
  }

  setDrawing(labels) {
    let own = 0;
    for (const index of this.fileOrder()) this.nv.drawBitmap[own++] = labels[index];
    this.nv.refreshDrawing(true);
  }

  /** The drawing in the order of the file. */
  drawing() {
    const labels = new Uint8Array(this.nv.drawBitmap.length);
    let own = 0;
    for (const index of this.fileOrder()) labels[index] = this.nv.drawBitmap[own++];
    return labels;
  }

  endDrawing() {
    if (!this.nv.drawBitmap) return;
    this.nv.setDrawingEnabled(false);
    this.nv.closeDrawing();
    this.setOpacity(this.opacity);
  }

  setBrush(value, size, filled) {
    this.brush = { value, size };
    this.nv.setPenValue(value, filled);
    this.nv.opts.penSize = size;
  }

  /** Paint one dab at the crosshair, in the slice's plane: what a mouse does, by the keyboard. */
  dab() {
    if (!this.nv.opts.drawingEnabled) return;
    const dims = this.image.dimsRAS;
    const centre = this.nv.frac2vox(this.nv.scene.crosshairPos);
    const axis = this.shownAxis();
    const reach = (this.brush.size - 1) / 2;
    const span = [0, 1, 2].map((each) => (each === axis ? 0 : Math.floor(reach)));
    for (let z = -span[2]; z <= span[2]; z++)
      for (let y = -span[1]; y <= span[1]; y++)
        for (let x = -span[0]; x <= span[0]; x++) {
          const at = [centre[0] + x, centre[1] + y, centre[2] + z];
          if (x * x + y * y + z * z > reach * reach + 0.5 || at.some((n, k) => n < 0 || n >= dims[k + 1])) continue;
          this.nv.drawBitmap[at[0] + dims[1] * (at[1] + dims[2] * at[2])] = this.brush.value;
        }
    this.nv.refreshDrawing(true);
    this.drawn();
  }
}
