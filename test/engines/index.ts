/** test/engines: the three browser engines behind one small driver, and what must hold in each. */
export { chromium } from "./chromium.ts";
export { chooseFile, type Driver, type Engine, pressWhenVisible, until, visible } from "./driver.ts";
export { firefox } from "./firefox.ts";
export { webkit } from "./webkit.ts";
