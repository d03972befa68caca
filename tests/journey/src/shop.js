import { createContext } from "react";

/* What every route shares with the application: a second copy of this module, or one of another
   release, would be another context, and the routes below would find nothing in it. */
export const Shop = createContext(null);

export const release = __RELEASE__;
