#include "proxy/client/page_text.h"

#include "base/check.h"
#include "http/names.h"

const struct span page_language_tags[PAGE_LANGUAGES] = {
    [PAGE_EN] = SPAN_INIT("en"),
    [PAGE_DE] = SPAN_INIT("de"),
    [PAGE_FR] = SPAN_INIT("fr"),
    [PAGE_RU] = SPAN_INIT("ru"),
};

struct text {
    const char *in[PAGE_LANGUAGES];
};

struct reason_text {
    struct text what, todo;
};

/* clang-format off */
static const struct reason_text reasons[REASON_COUNT] = {
    [REASON_ACCESS] = {
        {{"The rules of this proxy do not allow this request.",
          "Die Regeln dieses Proxys erlauben diese Anfrage nicht.",
          "Les règles de ce proxy n’autorisent pas cette requête.",
          "Правила этого прокси не разрешают этот запрос."}},
        {{"If you need this page, ask the administrator of the proxy and mention the incident below.",
          "Wenn Sie die Seite brauchen, wenden Sie sich an die Verwaltung des Proxys und nennen Sie den Vorfall unten.",
          "Si vous avez besoin de cette page, adressez-vous à l’administration du proxy et indiquez l’incident ci-dessous.",
          "Если вам нужна эта страница, обратитесь к администратору прокси и назовите номер происшествия, указанный ниже."}}},
    [REASON_CREDENTIALS] = {
        {{"This proxy requires a name and a password.",
          "Dieser Proxy verlangt Namen und Passwort.",
          "Ce proxy demande un nom et un mot de passe.",
          "Этот прокси требует имя и пароль."}},
        {{"Enter those you were given for the proxy. If you are not asked for them, add them to the proxy settings of your program or system.",
          "Geben Sie die Zugangsdaten ein, die Sie für den Proxy bekommen haben. Fragt nichts danach, tragen Sie sie in den Proxy-Einstellungen Ihres Programms oder Systems ein.",
          "Saisissez ceux que vous avez reçus pour le proxy. Si rien ne vous les demande, ajoutez-les aux réglages de proxy de votre programme ou de votre système.",
          "Введите те, что вам выданы для прокси. Если запрос не появляется, укажите их в настройках прокси вашей программы или системы."}}},
    [REASON_WRONG_PASSWORD] = {
        {{"The name or the password for this proxy is wrong.",
          "Name oder Passwort für diesen Proxy ist falsch.",
          "Le nom ou le mot de passe pour ce proxy est faux.",
          "Имя или пароль для этого прокси неверны."}},
        {{"Try again; upper and lower case matter. If the password is saved somewhere, in a browser or a script, correct it there.",
          "Versuchen Sie es noch einmal; Groß- und Kleinschreibung zählt. Ist es irgendwo gespeichert, im Browser oder in einem Skript, berichtigen Sie es dort.",
          "Réessayez en respectant les majuscules. S’il est enregistré quelque part, dans un navigateur ou un script, corrigez-le là.",
          "Попробуйте ещё раз с учётом регистра. Если пароль где-то сохранён, в браузере или в скрипте, исправьте его там."}}},
    [REASON_AUTH_BUSY] = {
        {{"Too many passwords are being checked at the moment.",
          "Gerade werden zu viele Passwörter geprüft.",
          "Trop de mots de passe sont vérifiés en ce moment.",
          "Сейчас проверяется слишком много паролей."}},
        {{"Try again in a few seconds.", "Versuchen Sie es in einigen Sekunden noch einmal.",
          "Réessayez dans quelques secondes.", "Повторите попытку через несколько секунд."}}},
    [REASON_AUTH_GUESSES] = {
        {{"Too many wrong passwords came from your address.",
          "Von Ihrer Adresse kamen zu viele falsche Passwörter.",
          "Trop de mots de passe faux sont venus de votre adresse.",
          "С вашего адреса пришло слишком много неверных паролей."}},
        {{"Wait a few seconds, then try again. A program with an old password may be the cause.",
          "Warten Sie einige Sekunden und versuchen Sie es dann noch einmal. Vielleicht benutzt ein Programm ein altes Passwort.",
          "Attendez quelques secondes, puis réessayez. Un programme avec un ancien mot de passe en est peut-être la cause.",
          "Подождите несколько секунд и попробуйте снова. Возможно, какая-то программа использует старый пароль."}}},
    [REASON_QUOTA] = {
        {{"You have used {used} of {limit}. You can continue on {until}.",
          "Sie haben {used} von {limit} verbraucht und können ab {until} weitermachen.",
          "Vous avez utilisé {used} sur {limit} et pourrez continuer à partir du {until}.",
          "Вы израсходовали {used} из {limit} и сможете продолжить {until}."}},
        {{"If you need more, ask the administrator of the proxy.",
          "Wenn das nicht reicht, wenden Sie sich an die Verwaltung des Proxys.",
          "Si cela ne suffit pas, adressez-vous à l’administration du proxy.",
          "Если этого не хватает, обратитесь к администратору прокси."}}},
    [REASON_TARGET_PORT] = {
        {{"This proxy does not connect to that port.",
          "Dieser Proxy verbindet nicht zu diesem Port.",
          "Ce proxy ne se connecte pas à ce port.",
          "Этот прокси не соединяет с этим портом."}},
        {{"If the address is right, ask the administrator of the proxy to allow the port.",
          "Wenn die Adresse stimmt, bitten Sie die Verwaltung des Proxys, den Port zu erlauben.",
          "Si l’adresse est correcte, demandez à l’administration du proxy d’autoriser ce port.",
          "Если адрес верен, попросите администратора прокси разрешить этот порт."}}},
    [REASON_TARGET_ADDRESS] = {
        {{"This proxy does not connect to that address.",
          "Dieser Proxy verbindet nicht zu dieser Adresse.",
          "Ce proxy ne se connecte pas à cette adresse.",
          "Этот прокси не соединяет с этим адресом."}},
        {{"Addresses in your own network can be reached without a proxy.",
          "Adressen des eigenen Netzes erreicht man ohne Proxy.",
          "Les adresses de votre propre réseau s’atteignent sans proxy.",
          "Адреса собственной сети доступны без прокси."}}},
    [REASON_TARGET_PRIVATE] = {
        {{"This proxy does not connect to addresses of private networks.",
          "Dieser Proxy verbindet nicht zu Adressen privater Netze.",
          "Ce proxy ne se connecte pas aux adresses de réseaux privés.",
          "Этот прокси не соединяет с адресами частных сетей."}},
        {{"Try it without a proxy. To allow it through this one, the administrator adds the network to its configuration: allow-targets: [10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16].",
          "Versuchen Sie es ohne Proxy. Soll es über ihn gehen, trägt seine Verwaltung das Netz in die Konfiguration ein: allow-targets: [10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16].",
          "Essayez sans proxy. Si cela doit passer par lui, son administration ajoute le réseau à la configuration : allow-targets: [10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16].",
          "Попробуйте без прокси. Если нужно именно через него, администратор добавляет сеть в настройки: allow-targets: [10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16]."}}},
    [REASON_TARGET_OWN] = {
        {{"This proxy does not connect to its own ports.",
          "Dieser Proxy verbindet nicht zu einem eigenen Port.",
          "Ce proxy ne se connecte pas à un port qui est le sien.",
          "Этот прокси не соединяет со своим собственным портом."}},
        {{"Open the address without a proxy.", "Rufen Sie die Adresse ohne Proxy auf.",
          "Demandez cette adresse sans proxy.", "Откройте этот адрес без прокси."}}},
    [REASON_DNS_BUSY] = {
        {{"Too many names are being looked up at the moment.",
          "Gerade werden zu viele Namen nachgeschlagen.",
          "Trop de noms sont recherchés en ce moment.",
          "Сейчас запрашивается слишком много имён."}},
        {{"Try again in a few seconds.", "Versuchen Sie es in einigen Sekunden noch einmal.",
          "Réessayez dans quelques secondes.", "Повторите попытку через несколько секунд."}}},
    [REASON_DNS] = {
        {{"The server's name was not found.",
          "Der Name des Servers ist nicht bekannt.",
          "Le nom du serveur est introuvable.",
          "Имя сервера не найдено."}},
        {{"Check that the address is spelled correctly.", "Prüfen Sie, ob die Adresse richtig geschrieben ist.",
          "Vérifiez l’orthographe de l’adresse.", "Проверьте, правильно ли написан адрес."}}},
    [REASON_CONNECT] = {
        {{"The server could not be reached, or refused the connection.",
          "Der Server ist nicht erreichbar oder lehnt die Verbindung ab.",
          "Le serveur est injoignable ou refuse la connexion.",
          "Сервер недоступен или отклонил соединение."}},
        {{"Try again later.", "Versuchen Sie es später noch einmal.", "Réessayez plus tard.",
          "Повторите попытку позже."}}},
    [REASON_ORIGIN_TIMEOUT] = {
        {{"The server did not respond in time.", "Der Server hat nicht rechtzeitig geantwortet.",
          "Le serveur n’a pas répondu à temps.", "Сервер не ответил вовремя."}},
        {{"Try again later.", "Versuchen Sie es später noch einmal.", "Réessayez plus tard.",
          "Повторите попытку позже."}}},
};

static const struct {
    int status;
    struct text title;
} titles[] = {
    {403, {{NULL, "Nicht erlaubt", "Accès refusé", "Доступ запрещён"}}},
    {407, {{NULL, "Anmeldung am Proxy nötig", "Authentification requise par le proxy", "Требуется вход на прокси"}}},
    {429, {{NULL, "Zu viele Versuche", "Trop de tentatives", "Слишком много попыток"}}},
    {502, {{NULL, "Fehler beim Server", "Erreur du serveur", "Ошибка на сервере"}}},
    {503, {{NULL, "Zurzeit nicht möglich", "Service indisponible", "Сервис временно недоступен"}}},
    {504, {{NULL, "Der Server antwortet nicht", "Le serveur ne répond pas", "Сервер не отвечает"}}},
};

static const struct text labels[LABELS] = {
    [LABEL_HOST] = {{"Host", "Host", "Hôte", "Хост"}},
    [LABEL_REASON] = {{"Reason", "Grund", "Raison", "Причина"}},
    [LABEL_INCIDENT] = {{"Incident", "Vorfall", "Incident", "Происшествие"}},
    [LABEL_PROXY] = {{"Proxy", "Proxy", "Proxy", "Прокси"}},
};
/* clang-format on */

struct span page_title(int status, enum page_language language)
{
    struct span plain = http_status_text(status);

    CHECK(language < PAGE_LANGUAGES);
    for (size_t i = 0; i < ARRAY_LEN(titles); i++) {
        if (titles[i].status == status && titles[i].title.in[language]) {
            return span_str(titles[i].title.in[language]);
        }
    }
    return plain.len ? plain : SPAN("Error");
}

struct span page_what(enum reason reason, enum page_language language)
{
    CHECK(reason < REASON_COUNT && language < PAGE_LANGUAGES);
    const char *text = reasons[reason].what.in[language];
    return text ? span_str(text) : reason_text(reason);
}

struct span page_todo(enum reason reason, enum page_language language)
{
    CHECK(reason < REASON_COUNT && language < PAGE_LANGUAGES);
    return span_str(reasons[reason].todo.in[language]);
}

struct span page_label(enum page_label label, enum page_language language)
{
    CHECK(label < LABELS && language < PAGE_LANGUAGES);
    return span_str(labels[label].in[language]);
}
