import { createRoot } from "react-dom/client";
import { Claims } from "./claims.jsx";

createRoot(document.body).render(<Claims />);
