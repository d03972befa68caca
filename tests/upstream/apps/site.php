<?php
// The application of applications.py in PHP, behind FastCGI.
switch ($_GET["do"] ?? "") {
case "page":
    setcookie("a", "1");
    setcookie("b", "2", ["httponly" => true]);
    echo "<link rel=\"stylesheet\" href=\"/static/{breaker}/site.css\">\n";
    break;
case "echo":
    header("Content-Type: application/json");
    echo json_encode(["method" => $_SERVER["REQUEST_METHOD"], "host" => $_SERVER["HTTP_HOST"],
                      "query" => $_GET["q"] ?? null]);
    break;
case "upload":
    header("Content-Type: application/json");
    echo json_encode(["sha256" => hash("sha256", file_get_contents("php://input"))]);
    break;
case "form":
    header("Content-Type: application/json");
    echo json_encode(["name" => $_POST["name"],
                      "sha256" => hash_file("sha256", $_FILES["file"]["tmp_name"])]);
    break;
case "download":
    for ($at = 0; $at < (int)$_GET["blocks"]; $at++) {
        echo str_repeat(chr($at % 251), 65536);
        flush();
    }
    break;
case "redirect":
    header("Location: /php/site.php?do=page");
    break;
case "fails":
    http_response_code(500);
    break;
default:
    http_response_code(404);
}
