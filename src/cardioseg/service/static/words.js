// The page's words in English and Spanish.

const WORDS = {
  en: {
    skip: "Skip to the image", tagline: "Segment the heart in cardiac MR. Not a medical device.", language: "Language",
    scan: "Scan", choose: "Choose a file", drop: "or drop it here: NIfTI (.nii, .nii.gz) or a zip of DICOM files",
    model: "Model", again: "Segment again", series: "Series", use_series: "Use this series", view: "View",
    opacity: "Overlay", planes3: "Three planes", stack: "Stack", axial: "Axial", coronal: "Coronal", sagittal: "Sagittal",
    render: "3-D", model3: "3-D model", play: "Play", pause: "Pause", frame: "Frame", correct: "Correct", start: "Start correcting",
    stop: "Done correcting", label: "Label", eraser: "eraser (background)", size: "Size", filled: "Fill what I draw around",
    undo: "Undo", redo: "Redo", propagate: "Carry to neighbouring slices", revert: "Model's labels again",
    reach: "Slices to carry", download: "Download", delete: "Delete this job", remake: "Make all files from the correction", by_person: "corrected", corrections: "Record of the corrections (JSON)", measurements: "Measurements",
    more: "All measurements", token_title: "This server needs a token", token: "Token", go: "Continue",
    no_viewer: "The viewer NiiVue is not installed on this server, so images are not shown. Uploads, results and measurements work.",
    keys_title: "Keyboard", picture: "Image with labels",
    keys: "With the image focused: arrow keys move the crosshair in the slice, Page Up and Page Down change the slice, comma and full stop change the frame. While correcting: Space paints at the crosshair, 0 to 9 choose a label, plus and minus the size, Ctrl+Z undoes, Ctrl+Y redoes.",
    uploading: "Uploading: {percent} %", queued: "Waiting: {position} before this one", running: "Segmenting: {done} of {total}",
    done: "Done", failed: "Failed", deleted: "Deleted", gone: "The server has deleted this job: its time was over.",
    kept: "The server deletes this job at {time}, unless it is changed before.",
    soon_deleted: "The server deletes this job and its corrections at {time}: download them, or change them to keep them longer.",
    of_model: "of the model's labels, not of the corrected ones", waits: "Done: scan {scan} with {model}. Its button is below.",
    model_corrected: "The models would be of the model's labels, not of the corrected ones. Use “{remake}”, then look at them there.",
    revert_sure: "Take the model's labels again? All corrections of this frame are dropped.",
    delete_sure: "Delete this job with its corrections? This cannot be undone.",
    one_file: "One file at a time: pack the DICOM files of a scan as one zip.",
    offline: "The server does not answer. Is it still running?",
    saving: "Saving…", saved: "Saved: {voxels} voxels differ from the model's labels, {seconds} s of work", unsaved: "Not saved: ", drop_unsaved: "This correction is not saved ({why}). Drop it?",
    edited: "Corrected by a person. Parent: {parent}", quantity: "Quantity", structure: "Structure", value: "Value",
    interval: "95 % interval", phase: "Phase", undefined: "undefined", verdict: "Quality", accept: "accept", review: "review",
    reject: "reject", expected: "Expected Dice", labels: "Label map", image: "Image", measurements_file: "Measurements (JSON)",
    findings: "Findings (JSON)", dicom_seg: "DICOM SEG", dicom_sr: "DICOM SR", mesh: "Model", mesh_facts: "Models, measured (JSON)", mesh_picture: "Picture of the models",
    report: "Report", slicer: "For 3D Slicer", making: "Making: {what}", "make.dicom": "Make DICOM SEG and SR", "make.mesh": "Make 3-D models (STL, glTF)",
    "make.report": "Make the report", "make.nrrd": "Make files for 3D Slicer",
    corrected_map: "Corrected label map", training: "For training (nnU-Net layout, zip)",
    "problem.too_large": "The file is too large.", "problem.claims_too_much": "The scan is too large once unpacked.",
    "problem.wrong_type": "This is not a scan.", "problem.damaged": "The file is damaged or truncated.",
    "problem.path_traversal": "The zip is not safe.", "problem.ratio": "The zip is not safe.", "problem.busy": "The server is busy.",
    "problem.choose_series": "Several series: choose one.", "problem.not_made": "Not made.",
  },
  es: {
    skip: "Ir a la imagen", tagline: "Segmenta el corazón en resonancia magnética cardíaca. No es un producto sanitario.", language: "Idioma",
    scan: "Estudio", choose: "Elegir un archivo", drop: "o suéltelo aquí: NIfTI (.nii, .nii.gz) o un zip de archivos DICOM",
    model: "Modelo", again: "Segmentar de nuevo", series: "Serie", use_series: "Usar esta serie", view: "Vista",
    opacity: "Superposición", planes3: "Tres planos", stack: "Pila", axial: "Axial", coronal: "Coronal", sagittal: "Sagital",
    render: "3-D", model3: "Modelo 3-D", play: "Reproducir", pause: "Pausa", frame: "Fase", correct: "Corregir", start: "Empezar a corregir",
    stop: "Terminar de corregir", label: "Etiqueta", eraser: "borrador (fondo)", size: "Tamaño", filled: "Rellenar lo que rodeo",
    undo: "Deshacer", redo: "Rehacer", propagate: "Llevar a los cortes vecinos", revert: "Etiquetas del modelo otra vez",
    reach: "Cortes que alcanza", download: "Descargar", delete: "Borrar este trabajo", remake: "Hacer todos los archivos con la corrección", by_person: "corregido", corrections: "Registro de las correcciones (JSON)", measurements: "Medidas",
    more: "Todas las medidas", token_title: "Este servidor pide una clave", token: "Clave", go: "Continuar",
    no_viewer: "El visor NiiVue no está instalado en este servidor, así que no se muestran imágenes. La subida, los resultados y las medidas funcionan.",
    keys_title: "Teclado", picture: "Imagen con etiquetas",
    keys: "Con el foco en la imagen: las flechas mueven la cruz en el corte, Re Pág y Av Pág cambian de corte, la coma y el punto cambian de fase. Al corregir: Espacio pinta en la cruz, de 0 a 9 eligen etiqueta, más y menos el tamaño, Ctrl+Z deshace, Ctrl+Y rehace.",
    uploading: "Subiendo: {percent} %", queued: "En espera: {position} antes que este", running: "Segmentando: {done} de {total}",
    done: "Listo", failed: "Falló", deleted: "Borrado", gone: "El servidor ha borrado este trabajo: se acabó su tiempo.",
    kept: "El servidor borra este trabajo a esta hora, si no cambia antes: {time}.",
    soon_deleted: "El servidor borra este trabajo y sus correcciones a esta hora: {time}. Descárguelas, o cámbielas para que duren más.",
    of_model: "de las etiquetas del modelo, no de las corregidas", waits: "Listo: estudio {scan} con {model}. Su botón está abajo.",
    model_corrected: "Los modelos serían de las etiquetas del modelo, no de las corregidas. Use «{remake}» y mírelos allí.",
    revert_sure: "¿Volver a las etiquetas del modelo? Se pierden todas las correcciones de esta fase.",
    delete_sure: "¿Borrar este trabajo con sus correcciones? No se puede deshacer.",
    one_file: "Un archivo cada vez: empaquete los archivos DICOM de un estudio en un solo zip.",
    offline: "El servidor no responde. ¿Sigue en marcha?",
    saving: "Guardando…", saved: "Guardado: {voxels} vóxeles distintos de los del modelo, {seconds} s de trabajo", unsaved: "No guardado: ", drop_unsaved: "Esta corrección no está guardada ({why}). ¿Descartarla?",
    edited: "Corregido por una persona. Original: {parent}", quantity: "Magnitud", structure: "Estructura", value: "Valor",
    interval: "Intervalo del 95 %", phase: "Fase", undefined: "sin definir", verdict: "Calidad", accept: "aceptar", review: "revisar",
    reject: "rechazar", expected: "Dice esperado", labels: "Mapa de etiquetas", image: "Imagen", measurements_file: "Medidas (JSON)",
    findings: "Hallazgos (JSON)", dicom_seg: "DICOM SEG", dicom_sr: "DICOM SR", mesh: "Modelo", mesh_facts: "Modelos, medidos (JSON)", mesh_picture: "Imagen de los modelos",
    report: "Informe", slicer: "Para 3D Slicer", making: "Haciendo: {what}", "make.dicom": "Hacer DICOM SEG y SR", "make.mesh": "Hacer modelos 3-D (STL, glTF)",
    "make.report": "Hacer el informe", "make.nrrd": "Hacer archivos para 3D Slicer",
    corrected_map: "Mapa de etiquetas corregido", training: "Para entrenar (formato de nnU-Net, zip)",
    "problem.too_large": "El archivo es demasiado grande.", "problem.claims_too_much": "El estudio es demasiado grande una vez descomprimido.",
    "problem.wrong_type": "Esto no es un estudio.", "problem.damaged": "El archivo está dañado o incompleto.",
    "problem.path_traversal": "El zip no es seguro.", "problem.ratio": "El zip no es seguro.", "problem.busy": "El servidor está ocupado.",
    "problem.choose_series": "Hay varias series: elija una.", "problem.not_made": "No se ha podido hacer.",
    // The English page shows the server's own words.
    "problem.failed": "No se ha podido segmentar.", "problem.bad_dicom": "Los archivos DICOM no se pueden leer.",
    "problem.bad_labels": "Estas etiquetas no corresponden al estudio.", "problem.empty": "No hay nada en el archivo.",
    "problem.encrypted": "El zip está cifrado: envíelo sin contraseña.", "problem.full": "El servidor está lleno: borre un trabajo o espere.",
    "problem.no_space": "El servidor no tiene sitio en el disco: inténtelo más tarde.", "problem.no_such_file": "El trabajo no tiene ese archivo.",
    "problem.no_such_frame": "No existe esa fase.", "problem.no_such_job": "El servidor ya no tiene este trabajo: suba el estudio otra vez.",
    "problem.no_such_model": "El servidor no ofrece ese modelo.", "problem.not_corrected": "Ninguna fase está corregida.",
    "problem.not_dicom": "DICOM SEG y SR se refieren a imágenes DICOM, y este estudio es NIfTI.", "problem.not_done": "El trabajo no está listo: espere.",
    "problem.too_many_corrections": "Este trabajo no admite más correcciones.", "problem.too_many_files": "El zip tiene demasiados archivos.",
    "problem.unpacks_too_large": "El estudio es demasiado grande una vez descomprimido.",
    "problem.changed_meanwhile": "Alguien ha cambiado estas etiquetas en otra ventana: se muestran como están ahora.",
    "problem.wrong_host": "El servidor no responde a esta dirección.", "problem.wrong_origin": "El servidor no responde a la página de otro sitio.",
    "problem.token": "El servidor pide una clave.", "problem.invalid": "El servidor no entiende la petición.",
    "problem.disconnected": "La conexión se cortó antes de que llegara todo.",
    // Names that the server gives.
    "LV cavity": "cavidad del VI", "RV cavity": "cavidad del VD", myocardium: "miocardio", "blood pool": "sangre",
    LV: "VI", RV: "VD", LA: "AI", RA: "AD", aorta: "aorta", "pulmonary artery": "arteria pulmonar", SVC: "vena cava superior",
    IVC: "vena cava inferior", infarct: "infarto", "no-reflow": "obstrucción microvascular", oedema: "edema",
    scar: "cicatriz", foreground: "primer plano", volume: "volumen", "end-diastolic volume": "volumen telediastólico",
    "end-systolic volume": "volumen telesistólico", "stroke volume": "volumen sistólico", "ejection fraction": "fracción de eyección",
    "myocardial mass": "masa miocárdica", "cardiac output": "gasto cardíaco", "wall thickness": "grosor de la pared",
    "wall thickening": "engrosamiento de la pared",
  },
};

const SOON_MS = 12 * 3_600_000;

let language = "en";

/** Choose the language: the address (?lang=es) goes before the browser's. */
export function chooseLanguage(wanted) {
  const asked = wanted ?? new URLSearchParams(location.search).get("lang") ?? navigator.language;
  language = asked.startsWith("es") ? "es" : "en";
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = word(element.dataset.text);
  return language;
}

/** A word of the page, or a name of the server's, in the chosen language. */
export function word(key, values = {}) {
  const text = WORDS[language][key] ?? WORDS.en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** A number as the language writes it. */
export function number(value, digits = 1) {
  return value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** A time of the day, with the date where it is not soon. */
export function clock(ms) {
  const isSoon = ms - Date.now() < SOON_MS;
  return new Date(ms).toLocaleString(language, { timeStyle: "short", ...(isSoon ? {} : { dateStyle: "medium" }) });
}

/** A refusal: the page's own words where it has some, and the server's. */
export function problemWords(problem) {
  const key = `problem.${problem.code}`;
  const own = word(key);
  return own === key || language === "en" ? problem.message : `${own} (${problem.message})`;
}
