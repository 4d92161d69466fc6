import { z } from "zod";

/** Packages whose module has another name, without those whose name no module can have. */
const modulesOf: Readonly<Record<string, string>> = {
  pyyaml: "yaml",
  pillow: "PIL",
  pytorch: "torch",
  beautifulsoup4: "bs4",
  "scikit-learn": "sklearn",
  "scikit-image": "skimage",
  "opencv-python": "cv2",
  "opencv-python-headless": "cv2",
  "python-dateutil": "dateutil",
};

/** Name of a Python module that must import. */
export const moduleName = z.string().superRefine((name, context) => {
  const module = modulesOf[name.toLowerCase()];
  if (module === undefined && /^[\p{L}_][\p{L}\p{N}_]*(\.[\p{L}_][\p{L}\p{N}_]*)*$/u.test(name)) return;
  const message =
    "must be the name of a Python module, as `import` takes it" +
    (module === undefined ? ", not of its package" : `: ${name} is a package, its module is ${module}`);
  context.addIssue({ code: "custom", message });
});
