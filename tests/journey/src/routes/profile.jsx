import { useContext, useState } from "react";
import { Shop } from "../shop.js";
import "./profile.css";

export default function Profile() {
  const shop = useContext(Shop);
  const [num] = useState(3);
  return (
    <section id="profile" data-release={__RELEASE__} data-shop={shop.release}>
      profile of release {__RELEASE__}: {num}
    </section>
  );
}
