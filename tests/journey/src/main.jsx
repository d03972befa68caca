import { createRoot } from "react-dom/client";
import { App } from "./app.jsx";
import "./shop.css";

createRoot(document.getElementById("root")).render(<App />);
